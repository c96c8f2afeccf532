//! `fas evaluate`, run as a user runs it.

mod program;

use std::fs;
use std::path::Path;

use program::fas;
use serde_json::Value;

/// Three videos a class of two frames each; means 0.3, 0.6, 0.8 and 0.1, 0.4, 0.5.
const TEST: &str = "score,label,species,video,subject\n\
    0.2,bona_fide,,b1,p1\n0.4,bona_fide,,b1,p1\n\
    0.5,bona_fide,,b2,p2\n0.7,bona_fide,,b2,p2\n\
    0.7,bona_fide,,b3,p3\n0.9,bona_fide,,b3,p3\n\
    0.0,attack,print,a1,p1\n0.2,attack,print,a1,p1\n\
    0.1,attack,print,a2,p2\n0.7,attack,print,a2,p2\n\
    0.4,attack,replay,a3,p3\n0.6,attack,replay,a3,p3\n";

const DEV: &str = "score,label,species,video,subject\n\
    0.45,bona_fide,,b1,q1\n0.9,bona_fide,,b2,q2\n0.1,attack,print,a1,q1\n0.2,attack,print,a2,q2\n";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("test.csv"), TEST).unwrap();
    fs::write(folder.path().join("dev.csv"), DEV).unwrap();
    folder
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let run = fas(
        folder,
        &[&["evaluate", "test.csv", "--json"], arguments].concat(),
    );
    assert_eq!(run.code, 0, "{}", run.errors);
    serde_json::from_str(&run.output).unwrap()
}

fn number(value: &Value, pointer: &str) -> f64 {
    value
        .pointer(pointer)
        .and_then(Value::as_f64)
        .unwrap_or_else(|| panic!("{pointer}: {value}"))
}

#[test]
fn json_has_every_number_with_its_threshold() {
    let folder = folder();
    let report = json(folder.path(), &["--dev", "dev.csv"]);
    assert_eq!(report["unit"], "video");
    assert_eq!(report["threshold"]["policy"], "source-eer");
    assert_eq!(report["threshold"]["source"], "source_validation");
    assert_eq!(number(&report, "/threshold/value"), 0.45);
    assert_eq!(number(&report, "/apcer"), 1.0);
    assert_eq!(report["worst_species"], "replay");
    for (pointer, thirds) in [
        ("/apcer_by_species/print/value", 0.0),
        ("/apcer_pooled/value", 1.0),
        ("/bpcer/value", 1.0),
        ("/acer_max", 2.0),
        ("/hter", 1.0),
    ] {
        assert!(
            (number(&report, pointer) - thirds / 3.0).abs() < 1e-12,
            "{pointer}"
        );
    }
    assert!((number(&report, "/auc") - 7.0 / 9.0).abs() < 1e-12);
    assert_eq!(report["bootstrap"]["cluster"], "subject");
    assert_eq!(number(&report, "/bootstrap/replicates"), 1000.0);
    assert!(number(&report, "/bpcer/exact/upper") > 0.9);
    assert!((number(&report, "/per_frame/bpcer") - 2.0 / 6.0).abs() < 1e-12);
}

#[test]
fn policies_conventions_and_units() {
    let folder = folder();
    let frame = json(folder.path(), &["--policy", "fixed=0.5", "--unit", "frame"]);
    assert_eq!(frame["unit"], "frame");
    assert!((number(&frame, "/bpcer/value") - 2.0 / 6.0).abs() < 1e-12);
    assert!(frame["per_frame"].is_null());
    let ssdg = json(
        folder.path(),
        &["--policy", "oracle-eer", "--convention", "ssdg"],
    );
    assert_eq!(number(&ssdg, "/threshold/value"), 0.5);
    assert_eq!(ssdg["threshold"]["convention"], "ssdg");
    let bob = json(
        folder.path(),
        &[
            "--policy",
            "dev-eer",
            "--convention",
            "bob",
            "--dev",
            "dev.csv",
            "--bootstrap",
            "0",
        ],
    );
    assert!((number(&bob, "/threshold/value") - 0.325).abs() < 1e-12);
    assert!(bob["bootstrap"].is_null());
}

#[test]
fn the_table_is_for_people() {
    let folder = folder();
    let run = fas(
        folder.path(),
        &["evaluate", "test.csv", "--policy", "oracle-eer"],
    );
    assert_eq!(run.code, 0, "{}", run.errors);
    for expected in [
        "test.csv: 6 videos, 3 bona fide, 3 attacks, 3 subjects",
        "(oracle-eer, exact, from: test (oracle) scores)",
        "APCER replay",
        "ACER, pooled = HTER         33.33 %",
        "AUC                         77.78 %",
        "1000 replicates of 3 bona fide and\n3 attack subjects, seed 0, threshold chosen anew",
        "frame by frame",
    ] {
        assert!(run.output.contains(expected), "{expected}\n{}", run.output);
    }
    assert!(
        run.errors
            .contains("takes its threshold from the evaluated scores")
    );
    let again = fas(
        folder.path(),
        &["evaluate", "test.csv", "--policy", "oracle-eer"],
    );
    assert_eq!(again.output, run.output);
}

#[test]
fn output_goes_to_a_file_whole() {
    let folder = folder();
    let arguments = [
        "evaluate",
        "test.csv",
        "--policy",
        "fixed=0.5",
        "--json",
        "--out",
        "report.json",
    ];
    let run = fas(folder.path(), &arguments);
    assert_eq!((run.code, run.output.as_str()), (0, ""), "{}", run.errors);
    let report = fs::read_to_string(folder.path().join("report.json")).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&report).unwrap()["unit"],
        "video"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn errors_say_where_and_what_to_do() {
    let folder = folder();
    let fails = |arguments: &[&str], code: i32, expected: &[&str]| {
        let run = fas(folder.path(), &[&["evaluate"], arguments].concat());
        assert_eq!((run.code, run.output.as_str()), (code, ""), "{arguments:?}");
        for part in expected {
            assert!(run.errors.contains(part), "{arguments:?}: {}", run.errors);
        }
    };
    fails(
        &["test.csv"],
        1,
        &["source-eer", "development scores", "oracle-eer"],
    );
    fails(&["none.csv"], 1, &["none.csv: cannot read the scores"]);
    fails(
        &["test.csv", "--policy", "eer"],
        2,
        &["`eer` is no threshold policy", "dev-bpcer=SHARE"],
    );
    fails(
        &["test.csv", "--convention", "iso"],
        2,
        &["`iso` is no convention", "`ssan`"],
    );
    fails(
        &[
            "test.csv",
            "--dev",
            "dev.csv",
            "--policy",
            "dev-bpcer=0.01",
            "--convention",
            "ssdg",
        ],
        1,
        &[
            "`ssdg` has no threshold rule",
            "use convention `exact` or `bob`",
        ],
    );
    fs::write(
        folder.path().join("bad.csv"),
        TEST.replace("0.9,bona_fide", "nan,bona_fide"),
    )
    .unwrap();
    fails(
        &["bad.csv"],
        1,
        &["bad.csv, line 7, column `score`: `nan` is not finite"],
    );
    fs::write(
        folder.path().join("frames.csv"),
        "score,label\n0.9,bona_fide\n0.1,attack\n",
    )
    .unwrap();
    fails(
        &["test.csv", "--dev", "frames.csv", "--unit", "video"],
        1,
        &["frames.csv: not every row names a video", "--unit frame"],
    );
    fs::write(folder.path().join("one.csv"), "score,label\n1,bona_fide\n").unwrap();
    fails(
        &["one.csv"],
        1,
        &["one.csv: no attack sample among the 1 scores"],
    );
    let swapped = "score,label\n0.1,bona_fide\n0.2,bona_fide\n0.3,bona_fide\n\
                   0.7,attack\n0.8,attack\n0.9,attack\n";
    fs::write(folder.path().join("swapped.csv"), swapped).unwrap();
    fails(
        &["swapped.csv", "--policy", "fixed=0.5"],
        1,
        &[
            "test scores look inverted",
            "Negate the scores or swap the labels",
        ],
    );
    let allowed = [
        "evaluate",
        "swapped.csv",
        "--policy",
        "fixed=0.5",
        "--allow-inverted",
    ];
    let run = fas(folder.path(), &allowed);
    assert_eq!(run.code, 0);
    assert!(
        run.errors
            .contains("warning: the test scores look inverted"),
        "{}",
        run.errors
    );
}

#[test]
fn development_scores_that_are_the_test_scores_are_noticed() {
    let folder = folder();
    let run = fas(
        folder.path(),
        &["evaluate", "test.csv", "--dev", "./test.csv"],
    );
    assert_eq!(run.code, 0);
    let expected = "warning: --dev is the file of the test scores";
    assert!(run.errors.contains(expected), "{}", run.errors);
    let run = fas(folder.path(), &["evaluate", "test.csv", "--dev", "dev.csv"]);
    assert_eq!((run.code, run.errors.as_str()), (0, ""));
}

#[test]
fn help_has_examples() {
    let folder = folder();
    for arguments in [
        &["--help"][..],
        &["evaluate", "--help"],
        &["quality", "--help"],
        &["simulate", "--help"],
    ] {
        let run = fas(folder.path(), arguments);
        assert_eq!(run.code, 0);
        assert!(run.output.contains("Examples:\n  fas "), "{}", run.output);
    }
    assert_eq!(fas(folder.path(), &[]).code, 2);
}
