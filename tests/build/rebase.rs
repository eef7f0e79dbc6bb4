//! What was built upon one run image, put upon another.

use std::path::Path;

use paas::{
    build::{Builder, Settings},
    engine::BuildEngine,
};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_put_upon_another_run_image_and_answers() {
    let mut world = World::new().await;
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/node-hello");
    let source = world.source("one", &example);
    let first = world.build("hello", &source).await.artifact();

    let (request, _news) = world.request("hello", &source);
    let refused = world.builder.rebase(&request, &first.image).await.unwrap_err();
    assert!(
        paas::telemetry::chain(&refused).contains("upon the present run image already"),
        "{refused:?}"
    );
    assert_eq!(refused.code(), Some(72));

    // The build image has the same user and stack, and other layers.
    let settings = Settings { run: world.settings.build.clone(), ..world.settings.clone() };
    let below = world.docker.image_layers(&settings.run.id).await.unwrap().unwrap();
    let builder = Builder::new(world.docker.clone(), settings);
    let (request, _news) = world.request("hello", &source);
    let (image, size) = builder.rebase(&request, &first.image).await.unwrap();
    assert_eq!(size, first.size);
    let before = world.docker.image_layers(&first.image).await.unwrap().unwrap();
    let after = world.docker.image_layers(&image).await.unwrap().unwrap();
    assert_eq!(after, [&below[..], &before[1..]].concat());
    let rebased = paas::model::Artifact { image, ..first };
    assert!(world.answer("hello", &rebased).await.ends_with("Hello from node-hello!\n"));
    world.end().await;
}
