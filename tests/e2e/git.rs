//! `git push` by the real git over TLS: what it deploys, what it keeps, what it refuses, and what is left
//! of it when either side dies.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    process::Stdio,
    time::Instant,
};

use crate::{
    http::Request,
    repository::World,
    server::{run, says, until},
};

#[test]
fn a_push_deploys_and_what_fails_changes_nothing() {
    let world = World::new();
    let told = world.paas(&["launch", "-a", "site"]).ok();
    says(&told, &["Set the git remote paas to https://", "/git/site.git"]);
    world.commit("index.html", "zero");
    let told = world.git(&["push", "paas", "main"]).ok();
    says(
        &told,
        &["remote: -----> Deploying", "of main to site", "no changes: v1 already runs this"],
    );

    world.commit("index.html", "one");
    let began = Instant::now();
    let told = world.git(&["push", "paas", "main"]).ok();
    println!("a push of one line: {:?}\n{told}", began.elapsed());
    says(
        &told,
        &["remote: -----> Building", "-----> Release v2", "site v2 serves", "http://site."],
    );
    world.serves("one");
    let one = world.head();
    says(&world.paas(&["builds"]).ok(), &[&one[..7]]);
    says(&world.paas(&["releases"]).ok(), &[&one[..7]]);
    says(&world.paas(&["events"]).ok(), &[&format!("commit {} of main", &one[..7])]);

    // A build that fails; a submodule; a file that looks like a secret.
    world.commit("paas.toml", "app = \"site\"\n[process.web\n");
    let told = world.git(&["push", "paas", "main"]).ended(1);
    says(&told, &["paas.toml", "v2 serves on, untouched", "[remote rejected]", "the build failed"]);
    world.nothing_is_left();
    assert_eq!(world.kept("main"), one);
    world.git(&["reset", "--quiet", "--hard", &one]).ok();
    let link = format!("160000,{one},lib");
    world.git(&["update-index", "--add", "--cacheinfo", &link]).ok();
    world.git(&["commit", "--quiet", "--message", "a submodule"]).ok();
    let told = world.git(&["push", "paas", "main"]).ended(1);
    says(&told, &["lib is a submodule", "hint:", "[remote rejected]"]);
    world.git(&["reset", "--quiet", "--hard", &one]).ok();
    world.commit(".env", "SECRET=1");
    world.commit("index.html", "two");
    let told = world.git(&["push", "paas", "main"]).ok();
    says(&told, &["warning: .env looks like a secret", "git rm --cached .env", "v3 serves"]);
    world.serves("two");

    // Another branch is kept and can be deployed; so can a tag and a commit.
    world.git(&["checkout", "--quiet", "-b", "feature"]).ok();
    world.commit("index.html", "three");
    world.git(&["tag", "v1"]).ok();
    let told = world.git(&["push", "paas", "feature", "v1"]).ok();
    says(&told, &["feature is kept", "paas deploy --ref feature -a site"]);
    assert_eq!(world.server.page("site", "/"), "two");
    let told = world.paas(&["deploy", "--ref", "v1"]).ok();
    says(&told, &["site v4 serves"]);
    world.serves("three");
    says(&world.paas(&["deploy", "--ref", "feature"]).ok(), &["no changes: v4"]);
    says(&world.paas(&["deploy", "--ref", &one[..7]]).ok(), &["site v5 serves"]);
    world.serves("one");
    says(&world.paas(&["deploy", "--ref", "nothing"]).ended(1), &["no branch, tag or commit"]);

    // The commit of a pinned release has a ref that nobody sees, and no more when it is not pinned.
    let repository = world.server.data().join("apps/site/git");
    let ours = ["for-each-ref", "--format=%(refname) %(objectname)", "refs/paas"];
    let ours = || run(&mut world.git_command(&repository, &ours)).ok();
    world.paas(&["releases", "pin", "v2"]).ok();
    assert_eq!(ours().trim(), format!("refs/paas/pinned/v2 {one}"));
    assert_eq!(world.kept("refs/paas/*"), "");
    world.paas(&["releases", "unpin", "v2"]).ok();
    assert_eq!(ours(), "");

    // Going back, deleting, and another branch that is deployed.
    let told = world.git(&["push", "--force", "paas", &format!("{one}:refs/heads/main")]).ok();
    says(&told, &["forced update", "no changes: v5"]);
    let told = world.git(&["push", "paas", ":main"]).ended(1);
    says(&told, &["[remote rejected]", "the branch that is deployed"]);
    let atomic = ["push", "--atomic", "paas", ":main", "feature:copy"];
    says(&world.git(&atomic).ended(1), &["rejected"]);
    assert_eq!(world.kept("copy"), "");
    let told = world.git(&["push", "paas", "feature:refs/notes/x"]).ended(1);
    says(&told, &["only branches and tags"]);
    says(&world.paas(&["git", "branch", "feature"]).ok(), &["pushes to feature are deployed"]);
    world.git(&["push", "paas", ":main"]).ok();
    let listed = world.paas(&["git"]).ok();
    says(&listed, &["feature", "deployed when pushed", "v1", "tag"]);

    // What was pushed comes back, also into a clone that is shallow, from which not all can be pushed.
    let url = world.git(&["remote", "get-url", "paas"]).ok();
    let config = fs::read_to_string(world.folder.path().join(".git/config")).unwrap();
    assert!(!config.contains(&world.token), "the token is in a file of the repository");
    fs::write(world.server.home().join(".gitconfig"), config.replace("[core]", "[ignored]"))
        .unwrap();
    let clone = world.server.home().join("clone");
    let to = clone.to_str().unwrap();
    let told = run(&mut world.git_command(
        world.server.home(),
        &["clone", "--quiet", "--depth=1", "--origin=other", url.trim(), to],
    ));
    told.ok();
    assert_eq!(fs::read_to_string(clone.join("index.html")).unwrap(), "three");
    world.paas(&["apps", "create", "other"]).ok();
    let other = url.trim().replace("site.git", "other.git");
    let told = run(&mut world.git_command(&clone, &["push", &other, "HEAD:main"])).ended(1);
    says(&told, &["your clone is shallow", "git fetch --unshallow"]);
    unusual(&world);
    hostile(&world, url.trim());
}

/// A push that is larger than git's buffer, one whose client goes away while it is built, and a tree with
/// a name that no checkout should ever see.
fn unusual(world: &World) {
    let numbers = (0_u32..60_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes());
    let noise = hex::encode(numbers.collect::<Vec<_>>());
    world.commit("noise.txt", &noise);
    let small = "http.postBuffer=65536";
    world.git(&["-c", small, "push", "--quiet", "paas", "feature:refs/heads/large"]).ok();
    assert_eq!(world.kept("large"), world.head());

    world.commit("index.html", "without me");
    let mut command =
        world.git_command(world.folder.path(), &["push", "--progress", "paas", "feature"]);
    let mut push = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(push.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(told.any(|line| line.contains("-----> Building")), "it is built");
    push.kill().unwrap();
    push.wait().unwrap();
    world.serves("without me");
    until("the branch has moved", || (world.kept("feature") == world.head()).then_some(()));

    let mut tree = world.git_command(
        world.folder.path(),
        &["hash-object", "-w", "-t", "tree", "--literally", "--stdin"],
    );
    let mut tree = tree.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let blob = hex::decode(world.git(&["rev-parse", "HEAD:index.html"]).ok().trim()).unwrap();
    let entry = [b"100644 .git\0".as_slice(), &blob].concat();
    tree.stdin.take().unwrap().write_all(&entry).unwrap();
    let tree = String::from_utf8(tree.wait_with_output().unwrap().stdout).unwrap();
    let commit = world.git(&["commit-tree", tree.trim(), "-m", "evil"]).ok();
    let evil = format!("{}:refs/heads/evil", commit.trim());
    let told = world.git(&["push", "paas", &evil]).ended(1);
    says(&told, &["git does not take what was pushed", "[remote rejected]"]);
    assert_eq!(world.kept("evil"), "");
    world.nothing_is_left();
}

/// Who has no token, speaks no git, or goes away in the middle.
fn hostile(world: &World, url: &str) {
    let wrong = url.replace("https://", "https://me:paas_00_00@");
    let told = world.git(&["ls-remote", &wrong]).ended(128);
    says(&told, &["the token is missing or not valid", "Authentication failed"]);
    let asked = "/git/nothing.git/info/refs?service=git-receive-pack";
    let missing = world.server.api("GET", asked, b"");
    assert_eq!(missing.status, 404);
    says(&missing.text(), &["app nothing: there is no such app", "paas apps create nothing"]);

    let path = "/git/site.git/git-receive-pack";
    let kind = ("Content-Type", "application/x-git-receive-pack-request");
    let push = |body: &[u8]| {
        let request = Request { method: "POST", path, host: "paas", headers: &[kind], body };
        request.over_socket(&world.server.socket()).unwrap()
    };
    assert_eq!(world.server.api("POST", path, b"0000").status, 400, "it is no JSON");
    assert_eq!(push(b"hello, who is there?").status, 400);
    assert_eq!(push(b"0000").body, b"");
    let zero = "0".repeat(40);
    let line = format!("{zero} {} refs/heads/x\0report-status\n", "a".repeat(40));
    let list = format!("{:04x}{line}0000", line.len() + 4);
    for pack in ["", "PACK", "no pack at all", "PACK\0\0\0\u{2}\0\0\0\u{7}xxxx"] {
        let body = [list.as_bytes(), pack.as_bytes()].concat();
        let told = push(&body).text();
        says(&told, &["unpack ", "ng refs/heads/x"]);
        assert!(!told.contains("unpack ok"), "{told}");
        world.nothing_is_left();
    }
    let mut broken = UnixStream::connect(world.server.socket()).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: paas\r\n{}: {}\r\nContent-Length: 100000\r\n\r\n{list}PACK",
        kind.0, kind.1
    );
    broken.write_all(head.as_bytes()).unwrap();
    drop(broken);
    world.nothing_is_left();
    assert_eq!(world.kept("x"), "");
}

#[test]
fn a_daemon_that_dies_in_a_push_leaves_one_truth() {
    let mut world = World::new();
    world.paas(&["launch", "-a", "site"]).ok();
    for point in paas::faults::PUSH {
        world.server.kill9();
        world.server.start_again(&[("PAAS_FAULT", point)]);
        world.server.until_ready();
        world.log_in();
        world.paas(&["git", "remote"]).ok();
        world.commit("index.html", point);
        let told = world.git(&["push", "paas", "main"]);
        assert_ne!(told.code, 0, "{point}: {}", told.stderr);
        world.server.ended();
        world.server.start_again(&[]);
        world.server.until_ready();
        world.log_in();
        world.paas(&["git", "remote"]).ok();
        world.nothing_is_left();
        assert_ne!(world.kept("main"), world.head(), "{point}");
        world.git(&["push", "paas", "main"]).ok();
        assert_eq!(world.kept("main"), world.head());
        world.serves(point);
    }
    // Destroyed, it leaves nothing.
    let repository = world.server.data().join("apps/site/git");
    assert!(repository.exists());
    world.paas(&["destroy", "--confirm", "site"]).ok();
    until("the repository is gone", || (!repository.exists()).then_some(()));
}
