//! What instances write, and resuming it.

use futures_util::StreamExt;
use paas::engine::{Engine, MAX_LINE, OutputLine, OutputStream};

use crate::world::World;

#[tokio::test]
async fn lines_come_whole_with_their_stream() {
    let world = World::new().await;
    let spec = world.spec("echo one; echo two >&2; echo; printf 'no end'");
    world.docker.start(&spec).await.unwrap();
    let ended = world.ended().await;
    let lines: Vec<OutputLine> =
        world.docker.output(&ended.id, None).map(Result::unwrap).collect().await;
    let of = |stream| {
        lines
            .iter()
            .filter(|line| line.stream == stream)
            .map(|line| line.text.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(OutputStream::Out), ["one", "", "no end"]);
    assert_eq!(of(OutputStream::Err), ["two"]);
}

#[tokio::test]
async fn a_long_line_comes_in_pieces() {
    let world = World::new().await;
    let spec = world.spec("head -c 40000 /dev/zero | tr '\\0' x; echo end");
    world.docker.start(&spec).await.unwrap();
    let lines = world.output(&world.ended().await).await;
    assert!(lines.iter().all(|line| line.len() <= MAX_LINE));
    assert_eq!(lines.concat(), format!("{}end", "x".repeat(40_000)));
}

#[tokio::test]
async fn resuming_at_any_line_repeats_only_that_millisecond() {
    let world = World::new().await;
    world.docker.start(&world.spec("seq 1 2000")).await.unwrap();
    let ended = world.ended().await;
    let all: Vec<OutputLine> =
        world.docker.output(&ended.id, None).map(Result::unwrap).collect().await;
    assert_eq!(all.len(), 2000);
    for from in [0, 1, 999, 1999] {
        let since = all[from].at;
        let again: Vec<OutputLine> =
            world.docker.output(&ended.id, Some(since)).map(Result::unwrap).collect().await;
        let expected: Vec<OutputLine> =
            all.iter().filter(|line| line.at >= since).cloned().collect();
        assert_eq!(again, expected, "from line {from}");
    }
}

#[tokio::test]
async fn the_output_of_a_container_that_is_gone_is_an_error() {
    let world = World::new().await;
    let gone = paas::model::ContainerId("0".repeat(64));
    let answer = world.docker.output(&gone, None).next().await.unwrap();
    assert!(answer.unwrap_err().to_string().contains("No such container"));
}
