//! Images: loaded, named, listed, removed.

use futures_util::{StreamExt, stream};
use paas::engine::{BuildEngine, Engine, EngineError, image_name};

use crate::world::{World, digest, layer};

#[tokio::test]
async fn an_image_is_known_by_its_layers_names_and_app() {
    let world = World::new().await;
    let layers = world.docker.image_layers(&world.image).await.unwrap();
    assert_eq!(layers, Some(vec![digest(&layer())]));
    let unknown = digest(b"unknown").parse().unwrap();
    assert_eq!(world.docker.image_layers(&unknown).await.unwrap(), None);
    let names = ["1", "2"].map(|which| image_name("shop", world.installation.as_str(), which));
    for name in &names {
        world.docker.tag(&world.image, name).await.unwrap();
    }
    let images = world.docker.images().await.unwrap();
    assert_eq!((images.len(), &images[0].id), (1, &world.image));
    let mut tags = images[0].tags.clone();
    tags.sort();
    assert_eq!(tags, names);
    assert_eq!(images[0].app.as_ref().map(ToString::to_string).as_deref(), Some("shop"));
    world.docker.remove_image(&world.image).await.unwrap();
    world.docker.remove_image(&world.image).await.unwrap();
    assert!(world.docker.images().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_image_in_use_keeps_all_its_names() {
    let world = World::new().await;
    for which in ["1", "2"] {
        let name = image_name("shop", world.installation.as_str(), which);
        world.docker.tag(&world.image, &name).await.unwrap();
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
async fn an_image_that_others_named_too_stays_for_them() {
    let (one, other) = tokio::join!(World::new(), World::new());
    let name = |world: &World| image_name("shop", world.installation.as_str(), "1");
    one.docker.tag(&one.image, &name(&one)).await.unwrap();
    one.docker.tag(&one.image, &name(&other)).await.unwrap();
    assert_eq!(other.docker.images().await.unwrap().len(), 2);
    one.docker.remove_image(&one.image).await.unwrap();
    assert!(one.docker.images().await.unwrap().is_empty());
    assert!(other.docker.image_layers(&one.image).await.unwrap().is_some());
    other.docker.remove_image(&one.image).await.unwrap();
    assert_eq!(other.docker.image_layers(&one.image).await.unwrap(), None);
}

#[tokio::test]
async fn a_broken_tar_is_refused_although_docker_answers_200() {
    let world = World::new().await;
    let broken = stream::iter([Ok(b"this is no tar".to_vec().into())]).boxed();
    let refused = world.docker.load(broken).await.unwrap_err();
    assert!(matches!(refused, EngineError::Refused { .. }), "{refused:?}");
    // Docker answers before it has read half of this.
    let long = stream::iter((0..1000).map(|_| Ok(vec![b'x'; 64 << 10].into()))).boxed();
    let refused = world.docker.load(long).await.unwrap_err();
    assert!(matches!(refused, EngineError::Refused { .. }), "{refused:?}");
    let torn = stream::iter([Err(std::io::Error::other("disk on fire"))]).boxed();
    let refused = world.docker.load(torn).await.unwrap_err().to_string();
    assert!(refused.contains("its source broke: disk on fire"), "{refused}");
}
