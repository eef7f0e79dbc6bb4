//! Folders that hold much, in layers of their own.

use super::*;

fn spooled(assembled: &Assembled) -> Vec<&str> {
    let layers = assembled.layers.iter().filter(|layer| layer.spooled.is_some());
    layers.map(|layer| layer.key.as_str()).filter(|key| key.starts_with("/workspace")).collect()
}

fn keys(assembled: &Assembled) -> Vec<&str> {
    let keys = assembled.layers.iter().map(|layer| layer.key.as_str());
    keys.filter(|key| key.starts_with("/workspace")).collect()
}

#[test]
fn a_changed_page_leaves_the_pictures_beside_it_alone() {
    let house = house();
    let site = house.places.workspace.join("public");
    for (folder, megabytes) in [("css", 1), ("img", 9), ("img/cats", 17), ("img/dogs", 9)] {
        fs::create_dir_all(site.join(folder)).unwrap();
        fs::write(site.join(folder).join("a"), vec![7; megabytes << 20]).unwrap();
    }
    fs::write(site.join("index.html"), "old").unwrap();
    let built = built(Vec::new());
    let first = export(&built, &house, &Previous::default()).unwrap();
    assert_eq!(keys(&first), ["/workspace#1", "/workspace#2", "/workspace#3"]);
    // What is not enough alone goes with what is beside it.
    assert_eq!(
        entries(&first, "/workspace#1"),
        [
            "workspace/ 1000 755 0",
            "workspace/public/ 1000 755 0",
            "workspace/public/img/ 1000 755 0",
            "workspace/public/img/a 1000 644 9437184",
            "workspace/public/img/dogs/ 1000 755 0",
            "workspace/public/img/dogs/a 1000 644 9437184",
        ]
    );
    assert!(
        entries(&first, "/workspace#2")
            .contains(&"workspace/public/img/cats/a 1000 644 17825792".to_owned())
    );
    assert!(
        entries(&first, "/workspace#3")
            .contains(&"workspace/public/css/a 1000 644 1048576".to_owned())
    );

    let remembered = remember(&built, &first, &house.places);
    let previous = Previous::new(built.remembered(), first.archive.ids()[0].clone(), remembered);
    // As a sync does it, which changes the times of the folder too.
    fs::remove_file(site.join("index.html")).unwrap();
    fs::write(site.join("index.html"), "new").unwrap();
    let second = export(&built, &house, &previous).unwrap();
    assert_eq!(spooled(&second), ["/workspace#3"]);
    fs::remove_file(site.join("img/dogs/a")).unwrap();
    let third = export(&built, &house, &previous).unwrap();
    assert_eq!(keys(&third), ["/workspace#1", "/workspace#2"]);
    assert!(!entries(&third, "/workspace#2").iter().any(|it| it.contains("dogs/a")));
}
