//! The rows of `docs/bad-input.md` about data sets, tables and index files.

use std::fs;

use fas_data::{
    CheckDepth, DataError, Dataset, DatasetSource, IndexWriter, Label, Layout, Media, Problem,
    Recording, RecordingError, read_index,
};
use fas_testkit::Tree;

fn oulu(tree: &Tree) -> DatasetSource {
    DatasetSource::new(Dataset::OuluNpu, tree.path(), Layout::Original).unwrap()
}

/// Paths in the index, and findings as `path: kind`.
fn index(source: &DatasetSource) -> (Vec<String>, Vec<String>) {
    let mut paths = Vec::new();
    let survey = source
        .index(|recording| {
            paths.push(recording.path);
            Ok(())
        })
        .unwrap();
    let findings = survey.findings().iter();
    let findings = findings.map(|finding| format!("{}: {}", finding.path, finding.problem.kind()));
    (paths, findings.collect())
}

fn tree(names: &[&str]) -> Tree {
    Tree::with_contents(names.iter().copied(), |_| vec![1]).unwrap()
}

#[test]
#[cfg(unix)]
fn links_that_loop_or_lead_elsewhere() {
    use std::os::unix::fs::symlink;
    let outside = tree(&["1_1_02_1.avi", "Dev_files/1_1_21_1.avi"]);
    let tree = tree(&["Train_files/1_1_01_1.avi"]);
    symlink(tree.path(), tree.join("Train_files/again")).unwrap();
    symlink(
        outside.join("1_1_02_1.avi"),
        tree.join("Train_files/1_1_02_1.avi"),
    )
    .unwrap();
    symlink(outside.join("Dev_files"), tree.join("Dev_files")).unwrap();
    symlink("nowhere", tree.join("Train_files/1_1_03_1.avi")).unwrap();
    // A link to a file inside the root is a second name of that file.
    symlink("1_1_01_1.avi", tree.join("Train_files/1_1_04_1.avi")).unwrap();
    let (paths, findings) = index(&oulu(&tree));
    assert_eq!(
        paths,
        ["Train_files/1_1_01_1.avi", "Train_files/1_1_04_1.avi"]
    );
    assert_eq!(
        findings,
        [
            "Dev_files: leaves root",
            "Train_files/1_1_02_1.avi: leaves root",
            "Train_files/1_1_03_1.avi: unreadable",
            "Train_files/again: linked folder",
        ]
    );
    // A root that is a link itself is fine.
    let other = tempfile::tempdir().unwrap();
    symlink(tree.path(), other.path().join("root")).unwrap();
    let linked = DatasetSource::new(
        Dataset::OuluNpu,
        other.path().join("root"),
        Layout::Original,
    )
    .unwrap();
    assert_eq!(index(&linked).0.len(), 2);
}

#[test]
fn videos_of_zero_bytes() {
    let tree = tree(&["Train_files/1_1_01_1.avi"]);
    tree.write("Train_files/1_1_01_2.avi", "").unwrap();
    let (paths, findings) = index(&oulu(&tree));
    assert_eq!(paths, ["Train_files/1_1_01_1.avi"]);
    assert_eq!(findings, ["Train_files/1_1_01_2.avi: empty"]);
}

#[test]
fn names_that_fit_no_rule_are_listed_not_guessed() {
    let tree = tree(&[
        "Train_files/1_1_01_1.avi",
        "Train_files/1_1_01_1 (1).avi",
        "Train_files/notes.doc",
    ]);
    let (paths, findings) = index(&oulu(&tree));
    assert_eq!(paths, ["Train_files/1_1_01_1.avi"]);
    assert_eq!(
        findings,
        [
            "Train_files/1_1_01_1 (1).avi: misnamed",
            "Train_files/notes.doc: extra"
        ]
    );
}

#[test]
fn files_beside_the_recordings_do_no_harm() {
    let clips: Vec<String> = ["train", "test"]
        .into_iter()
        .zip([20, 30])
        .flat_map(|(part, people)| {
            (1..=people).flat_map(move |person| {
                let clips = [
                    "1", "2", "3", "4", "5", "6", "7", "8", "HR_1", "HR_2", "HR_3", "HR_4",
                ];
                clips.map(|clip| format!("{part}_release/{person}/{clip}.avi"))
            })
        })
        .collect();
    let tree = Tree::with_contents(clips.iter().map(String::as_str), |name| {
        format!("RIFF\0\0\0\0AVI {name}").into_bytes()
    })
    .unwrap();
    for name in [
        "README.txt",
        "Agreement.pdf",
        "train_release/Thumbs.db",
        "desktop.ini",
    ] {
        tree.write(name, "x").unwrap();
    }
    let check = |tree: &Tree| {
        let source = DatasetSource::new(Dataset::CasiaFasd, tree.path(), Layout::Original);
        source.unwrap().check(CheckDepth::Copies).unwrap()
    };
    let found = check(&tree);
    assert_eq!(found.kinds(), [("extra", 4)]);
    assert!(found.is_clean());
    // A video that fits no rule does.
    tree.write("train_release/holiday.avi", "RIFF\0\0\0\0AVI h")
        .unwrap();
    let found = check(&tree);
    assert!(!found.is_clean());
    assert!(
        found.kinds().contains(&("misnamed", 1)),
        "{:?}",
        found.kinds()
    );
}

#[test]
fn a_root_that_is_not_there_is_called_that() {
    let folder = tempfile::tempdir().unwrap();
    let source = DatasetSource::new(
        Dataset::OuluNpu,
        folder.path().join("nope"),
        Layout::Original,
    )
    .unwrap();
    let error = source.index(|_| Ok(())).unwrap_err().to_string();
    assert!(
        error.contains("nope: cannot read the folder of the data set") && error.contains("--root"),
        "{error}"
    );
}

#[test]
fn two_copies_of_one_file() {
    // Two containers of one recording: the first is kept. The same bytes under two names: both are, and
    // one is told of.
    let tree = Tree::with_contents(
        [
            "test_release/1/1.avi",
            "test_release/1/1.mp4",
            "test_release/1/2.avi",
            "test_release/2/1.avi",
        ],
        |name| match name {
            "test_release/1/1.avi" | "test_release/2/1.avi" => b"RIFF\0\0\0\0AVI same".to_vec(),
            _ => b"RIFF\0\0\0\0AVI other".to_vec(),
        },
    )
    .unwrap();
    let source = DatasetSource::new(Dataset::CasiaFasd, tree.path(), Layout::ReEncoded).unwrap();
    let check = source.check(CheckDepth::Copies).unwrap();
    let findings: Vec<(&str, &Problem)> = check
        .findings()
        .map(|f| (f.path.as_str(), &f.problem))
        .collect();
    let first = |path: &str| path.to_owned();
    assert_eq!(
        findings,
        [
            (
                "test_release/1/1.mp4",
                &Problem::SecondFile {
                    first: first("test_release/1/1.avi")
                }
            ),
            (
                "test_release/2/1.avi",
                &Problem::SameContent {
                    first: first("test_release/1/1.avi")
                }
            ),
        ]
    );
}

#[test]
fn windows_separators() {
    #[cfg(unix)]
    {
        let tree = tree(&["Train_files/1_1_01_1.avi"]);
        tree.write("Train_files\\1_1_02_1.avi", "x").unwrap();
        let (paths, findings) = index(&oulu(&tree));
        assert_eq!(paths, ["Train_files/1_1_01_1.avi"]);
        assert_eq!(findings, ["Train_files\\1_1_02_1.avi: backslash"]);
    }
    let tree = tree(&["Train_files/1_1_01_1.avi"]);
    let names = [
        "Train_files\\1_1_02_1.avi",
        "../1_1_01_1.avi",
        "/etc/1_1_01_1.avi",
    ];
    let survey = oulu(&tree)
        .index_listing(names, |_| panic!("none fits"))
        .unwrap();
    let kinds: Vec<&str> = survey
        .findings()
        .iter()
        .map(|finding| finding.problem.kind())
        .collect();
    assert_eq!(kinds, ["backslash", "leaves root", "leaves root"]);

    for (path, reason) in [
        ("a\\b.png", "has a backslash"),
        ("../b.png", "has `..`"),
        ("/b.png", "is absolute"),
    ] {
        let rows =
            format!("path,label,species,subject\nc.png,bona_fide,,anna\n{path},bona_fide,,anna\n");
        let table = tree.write("table.csv", rows).unwrap();
        let error = DatasetSource::custom("lab", tree.path(), Some(&table))
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("table.csv, line 3") && error.contains(reason),
            "{error}"
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn names_that_are_not_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let tree = tree(&["Train_files/1_1_01_1.avi"]);
    let name = OsStr::from_bytes(b"1_1_02_1\xff.avi");
    fs::write(tree.join("Train_files").join(name), "x").unwrap();
    let (paths, findings) = index(&oulu(&tree));
    assert_eq!(paths, ["Train_files/1_1_01_1.avi"]);
    assert_eq!(findings, ["Train_files/1_1_02_1\u{fffd}.avi: not unicode"]);
}

#[test]
fn tables_with_a_byte_order_mark_and_other_encodings() {
    let tree = tree(&["a.png"]);
    let rows = "\u{feff}path,label,species,subject\r\na.png,attack,print,anna\r\n";
    let table = tree.write("lab.csv", rows).unwrap();
    let source = DatasetSource::custom("lab", tree.path(), Some(&table)).unwrap();
    assert_eq!(index(&source), (vec!["a.png".to_owned()], vec![]));
    for (bytes, reason) in [
        (
            &b"path,label,species,subject\na.png,attack,print,Ren\xe9\n"[..],
            "line 2: not UTF-8",
        ),
        (
            b"path,label,species\na.png,attack,print\n",
            "column `subject` is missing",
        ),
        (
            b"path,label,species,subject,person\n",
            "unknown column `person`",
        ),
        (
            b"path,label,species,subject,path\n",
            "column `path` appears twice",
        ),
        (
            b"path,label,species,subject\n\na.png,spoof,,anna\n",
            "line 3: label `spoof`",
        ),
        (
            b"path,label,species,subject\na.png,attack,,anna\n",
            "species ``",
        ),
        (
            b"path,label,species,subject\na.png,bona_fide,,\n",
            "`subject` is empty",
        ),
        (
            b"path,label,species,subject\na.txt,bona_fide,,x\n",
            "`a.txt` is no image",
        ),
        (
            b"path,label,species,subject\na.png,bona_fide,,x\na.png,bona_fide,,x\n",
            "line 3: path `a.png` is named twice",
        ),
    ] {
        let table = tree.write("bad.csv", bytes).unwrap();
        let error = DatasetSource::custom("lab", tree.path(), Some(&table))
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn index_files() {
    let tree = Tree::new([]).unwrap();
    let path = tree.join("index.csv");
    let mut recording = Recording::new(
        "lab",
        "a, \"b\"",
        "a, \"b\".mp4",
        Media::Video,
        Label::BonaFide,
    )
    .of_subject("anna\nmaria");
    recording.row = Some(3);
    recording.folds = vec![None, Some(fas_data::Split::Test)];
    let mut writer = IndexWriter::create(&path).unwrap();
    writer.write(&recording).unwrap();
    writer.finish().unwrap();
    let read = |bytes: &[u8]| {
        let path = tree.write("read.csv", bytes).unwrap();
        let mut recordings = Vec::new();
        read_index(path, |recording| {
            recordings.push(recording);
            Ok(())
        })
        .map(|()| recordings)
    };
    let bytes = fs::read(&path).unwrap();
    assert_eq!(read(&bytes).unwrap(), [recording]);
    let marked = [b"\xEF\xBB\xBF", &bytes[..]].concat();
    assert_eq!(read(&marked).unwrap().len(), 1);

    let header = "id,path,media,row,domain,label,species,instrument,split,folds,subject,presenter,session,device,\
                  environment,style,rotation";
    let good = "x/a,a.mp4,video,,x,bona_fide,,,train,,x/1,,,,,x/live,0";
    for (text, reason) in [
        (String::new(), "line 1: the file is empty"),
        ("id,path\n".to_owned(), "no index of recordings"),
        (format!("{header}\n{good},more\n"), "line 2: 18 fields"),
        (
            format!("{header}\n{good}\n{}\n", good.replace("a.mp4", "../a.mp4")),
            "line 3: path `../a.mp4`",
        ),
        (
            format!("{header}\n{}\n", good.replace("a.mp4", "b\\a.mp4")),
            "has a backslash",
        ),
        (
            format!("{header}\n{}\n", good.replace("video", "film")),
            "media `film`; write one of video",
        ),
        (
            format!("{header}\n{}\n", good.replace("train", "dev")),
            "split `dev`",
        ),
        (
            format!("{header}\n{}\n", good.replace("x/1", "")),
            "`subject` is empty",
        ),
        (
            format!("{header}\n{}\n", good.replace(",0", ",45")),
            "rotation `45`",
        ),
    ] {
        let error = read(text.as_bytes()).unwrap_err();
        let typed = matches!(
            error,
            DataError::Recording(RecordingError::Table { .. } | RecordingError::TableField { .. })
        );
        assert!(typed && error.to_string().contains(reason), "{error}");
    }
    let error = read(b"\xFF\xFE").unwrap_err().to_string();
    assert!(error.contains("not UTF-8"), "{error}");

    // An index that is given up leaves nothing behind.
    let files = fs::read_dir(tree.path()).unwrap().count();
    drop(IndexWriter::create(tree.join("half.csv")).unwrap());
    assert_eq!(fs::read_dir(tree.path()).unwrap().count(), files);
    assert!(IndexWriter::create(tree.join("gone/index.csv")).is_err());
}
