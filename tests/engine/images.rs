//! Images: loaded, named, listed, removed.

use futures_util::{StreamExt, stream};
use paas::engine::{BuildEngine, Engine, EngineError};

use crate::world::{World, digest, layer};

#[tokio::test]
async fn an_image_is_known_by_its_layers_names_and_app() {
    let world = World::new().await;
    let layers = world.docker.image_layers(&world.image).await.unwrap();
    assert_eq!(layers, Some(vec![digest(&layer())]));
    let unknown = digest(b"unknown").parse().unwrap();
    assert_eq!(world.docker.image_layers(&unknown).await.unwrap(), None);
    let repository = format!("paas/{}", world.installation);
    world.docker.tag(&world.image, &repository, "v1").await.unwrap();
    world.docker.tag(&world.image, &repository, "v2").await.unwrap();
    let images = world.docker.images().await.unwrap();
    assert_eq!((images.len(), &images[0].id), (1, &world.image));
    let mut tags = images[0].tags.clone();
    tags.sort();
    assert_eq!(tags, [format!("{repository}:v1"), format!("{repository}:v2")]);
    assert_eq!(images[0].app.as_ref().map(ToString::to_string).as_deref(), Some("shop"));
    world.docker.remove_image(&world.image).await.unwrap();
    world.docker.remove_image(&world.image).await.unwrap();
    assert!(world.docker.images().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_image_in_use_keeps_all_its_names() {
    let world = World::new().await;
    let repository = format!("paas/{}", world.installation);
    for tag in ["v1", "v2"] {
        world.docker.tag(&world.image, &repository, tag).await.unwrap();
    }
    let id = world.docker.start(&world.spec("sleep 600")).await.unwrap();
    let refused = world.docker.remove_image(&world.image).await.unwrap_err().to_string();
    assert!(refused.contains("uses it"), "{refused}");
    assert_eq!(world.docker.images().await.unwrap()[0].tags.len(), 2);
    world.docker.remove(&id).await.unwrap();
    world.docker.remove_image(&world.image).await.unwrap();
}

#[tokio::test]
async fn an_image_of_others_is_not_removed() {
    let (one, other) = tokio::join!(World::new(), World::new());
    let refused = one.docker.remove_image(&other.image).await.unwrap_err().to_string();
    assert!(refused.contains("not made by this installation"), "{refused}");
    assert_eq!(other.docker.images().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_broken_tar_is_refused_although_docker_answers_200() {
    let world = World::new().await;
    let broken = stream::iter([Ok(b"this is no tar".to_vec().into())]).boxed();
    let refused = world.docker.load(broken).await.unwrap_err();
    assert!(matches!(refused, EngineError::Refused { .. }), "{refused:?}");
    let torn = stream::iter([Err(std::io::Error::other("the source broke"))]).boxed();
    assert!(world.docker.load(torn).await.is_err());
}
