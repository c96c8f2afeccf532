//! `fas data leaks`: WMCA's presenters and the published pair lists.

use std::fs;

use super::data;

/// Names of WMCA: clients 1 to 72, a third in each part; twelve of each part's attacks are masks worn by people of
/// the next part, the other twelve replays.
fn wmca(folder: &std::path::Path) {
    let mut names = Vec::new();
    for (part, index) in [("train", 0), ("dev", 1), ("eval", 2)] {
        let mut list = String::from(",client_id,filepath,group,label\n");
        for place in 1..=24 {
            let client = index * 24 + place;
            let presenter = (index + 1) % 3 * 24 + place;
            let attack = if place <= 12 {
                format!("{client:03}_02_{presenter:03}_2_12")
            } else {
                format!("{client:03}_02_000_4_01")
            };
            for stem in [format!("{client:03}_01_000_0_00"), attack] {
                list += &format!("0,{client:03},face-station/{stem},{part},x\n");
                names.push(format!("WMCA_preprocessed_RGB/{stem}.hdf5"));
            }
        }
        let path = folder.join(format!("wmca/PROTOCOL-grandtest_{part}.csv"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, list).unwrap();
    }
    fs::write(folder.join("wmca.txt"), names.join("\r\n")).unwrap();
    let run = data(
        folder,
        "index wmca --root wmca --listing wmca.txt --out wmca.csv",
    );
    assert_eq!(run.code, 0, "{}", run.errors);
    let arguments = "protocol wmca/grandtest --index wmca.csv --out grandtest";
    let run = data(folder, arguments);
    assert_eq!(run.code, 1);
    assert!(
        run.errors
            .contains("train: published 124 bona fide + 441 attacks, here 24 + 24"),
        "{}",
        run.errors
    );
    assert!(!folder.join("grandtest").exists());
    let run = data(folder, &format!("{arguments} --partial"));
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(
        run.errors.contains("note: presenters cross the parts"),
        "{}",
        run.errors
    );
}

#[test]
fn presenters_of_wmca_leak() {
    let folder = tempfile::tempdir().unwrap();
    wmca(folder.path());
    let run = data(folder.path(), "leaks --protocol grandtest");
    assert_eq!(run.code, 1);
    for line in [
        // Masks of the test part are worn by people of the training part, and so on.
        "leak: test and train share 12 presenter(s), in 12 of test",
        "leak: development and test share 12 presenter(s), in 12 of development",
        "leak: train and development share 12 presenter(s), in 12 of train",
    ] {
        assert!(run.output.contains(line), "{line}: {}", run.output);
    }
    assert!(run.errors.contains("--allow-leak"), "{}", run.errors);
    let run = data(folder.path(), "leaks --protocol grandtest --allow-leak");
    assert_eq!(run.code, 0);
}

#[test]
fn the_published_wmca_list_is_refused_and_cleaned() {
    let folder = tempfile::tempdir().unwrap();
    wmca(folder.path());
    // 6480 distinct pairs of 68 clients, as published.
    let mut pairs = Vec::new();
    for index in 0..6480 {
        let client = index % 68 + 1;
        let (session, pai) = (index / 68 % 7 + 1, index / (68 * 7));
        pairs.push(format!(
            "[\"/0_00/{client:03}_01_000_0_00_Frame_0.png\",\
             \"/4_{pai:02}/{client:03}_{session:02}_000_4_{pai:02}_Frame_0.png\"]"
        ));
    }
    fs::write(
        folder.path().join("WMCA.json"),
        format!("[{}]", pairs.join(",")),
    )
    .unwrap();
    let run = data(folder.path(), "leaks --pairs WMCA.json");
    assert_eq!(run.code, 1, "{}", run.errors);
    assert!(
        run.errors
            .contains("6480 distinct pairs of 68 of wmca people; the published list"),
        "{}",
        run.errors
    );
    assert!(run.errors.contains("knows no parts"), "{}", run.errors);
    let arguments = "leaks --pairs WMCA.json --protocol grandtest";
    let run = data(folder.path(), &format!("{arguments} --clean clean.json"));
    assert_eq!(run.code, 1);
    // Of the test part clients 49 to 68 are in the list, and people 1 to 12, who wear its masks.
    assert!(
        run.output
            .contains("generator and test share 32 person(s) of a generator's pairs, in "),
        "{}",
        run.output
    );
    let clean = fs::read_to_string(folder.path().join("clean.json")).unwrap();
    assert!(
        !clean.contains("/049_") && !clean.contains("/025_"),
        "{clean}"
    );
    let run = data(folder.path(), &format!("{arguments} --allow-leak"));
    assert_eq!(run.code, 0);
}

#[test]
fn the_published_padisi_list_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pair = |person: u32| {
        format!(
            "[\"/real/ID_{person:024x}_1_a_FACE_x.jpg\",\"/mask_1/ID_{person:024x}_2_b_FACE_x.jpg\"]"
        )
    };
    let pairs: Vec<String> = (0..1416).map(|entry| pair(entry % 354)).collect();
    fs::write(
        folder.path().join("PADISI.json"),
        format!("[{}]", pairs.join(",")),
    )
    .unwrap();
    let run = data(folder.path(), "leaks --pairs PADISI.json");
    assert_eq!(run.code, 1);
    assert!(
        run.errors.contains(
            "1416 entries, 354 distinct pairs of 354 of padisi people; the published list"
        ),
        "{}",
        run.errors
    );
    let run = data(folder.path(), "leaks --pairs PADISI.json --allow-leak");
    assert_eq!(run.code, 0);
}
