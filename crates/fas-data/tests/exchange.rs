//! Foreign lists and scores, there and back, in the words of their toolkits.

use std::fs;
use std::path::PathBuf;

use fas_data::{
    DataError, ExchangeRow, LabelMeaning, RecordingError, check_polarity, read_bob,
    read_grad_gpad_list, read_grad_gpad_scores, read_label_text, write_bob, write_grad_gpad_list,
    write_grad_gpad_scores, write_label_text,
};
use tempfile::TempDir;

fn file(name: &str, text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn row(
    name: &str,
    bona_fide: bool,
    attack_type: &str,
    subject: &str,
    score: Option<f64>,
) -> ExchangeRow {
    ExchangeRow {
        name: name.into(),
        dataset: String::new(),
        bona_fide: Some(bona_fide),
        attack_type: attack_type.into(),
        subject: subject.into(),
        score,
    }
}

#[test]
fn bob() {
    let text = "\u{feff}claimed_id,test_label,is_bonafide,attack_type,score,extra\n\
                001,a.avi,True,,0.9,x\n001,b.avi,False,print/1,0.25,y\n";
    let (_folder, path) = file("scores-dev.csv", text);
    let rows = read_bob(&path).unwrap();
    let expected = [
        row("a.avi", true, "", "001", Some(0.9)),
        row("b.avi", false, "print/1", "001", Some(0.25)),
    ];
    assert_eq!(rows, expected);
    check_polarity(&rows).unwrap();
    let written = write_bob(&rows).unwrap();
    assert_eq!(
        written,
        "claimed_id,test_label,is_bonafide,attack_type,score\n001,a.avi,True,,0.9\n001,b.avi,False,print/1,0.25\n"
    );
    let list = "filename,subject,attack_type\na.avi,001,\nb.avi,001,replay\n";
    let (_folder, path) = file("train.csv", list);
    assert_eq!(write_bob(&read_bob(&path).unwrap()).unwrap(), list);

    for (text, reason) in [
        (
            "claimed_id,test_label,is_bonafide,attack_type,score\n1,a,True,print,0.1\n",
            "line 2: is_bonafide is True, but the attack type is `print`",
        ),
        (
            "claimed_id,test_label,is_bonafide,attack_type,score\n1,a,False,,0.1\n",
            "is_bonafide is False",
        ),
        (
            "claimed_id,test_label,is_bonafide,attack_type,score\n1,a,True,,nan\n",
            "score `nan` is no finite number",
        ),
        ("path,label\na,1\n", "line 1: neither Bob's list"),
    ] {
        let (_folder, path) = file("bad.csv", text);
        let error = read_bob(&path).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_label_of_one_means_what_the_file_says() {
    let (_folder, path) = file(
        "list.txt",
        "# polarity: 1=bona_fide\nreal/a b.png 1\nfake/c.png\t0\r\n\n",
    );
    let rows = read_label_text(&path, None).unwrap();
    let expected = [
        row("real/a b.png", true, "", "", None),
        row("fake/c.png", false, "", "", None),
    ];
    assert_eq!(rows, expected);
    let inverted = write_label_text(&rows, LabelMeaning::OneIsAttack).unwrap();
    assert_eq!(
        inverted,
        "# polarity: 1=attack\nreal/a b.png 0\nfake/c.png 1\n"
    );
    let (_folder, inverted) = file("inverted.txt", &inverted);
    assert_eq!(read_label_text(&inverted, None).unwrap(), expected);

    let error = read_label_text(&path, Some(LabelMeaning::OneIsAttack)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the file says 1=bona_fide, its reader 1=attack"),
        "{error}"
    );
    let (_folder, plain) = file("plain.txt", "a.png 1\n");
    let error = read_label_text(&plain, None).unwrap_err();
    assert!(
        matches!(
            error,
            DataError::Recording(RecordingError::UnclearPolarity { .. })
        ),
        "{error}"
    );
    let rows = read_label_text(&plain, Some(LabelMeaning::OneIsAttack)).unwrap();
    assert_eq!(rows[0].bona_fide, Some(false));
    let (_folder, bad) = file("bad.txt", "# polarity: 1=attack\na.png 1\nb.png 2\n");
    let error = read_label_text(&bad, None).unwrap_err().to_string();
    assert!(error.contains("bad.txt, line 3"), "{error}");
    let (_folder, odd) = file("odd.txt", "# polarity: live\na.png 1\n");
    assert!(read_label_text(&odd, None).is_err());
}

#[test]
fn ssdg_json() {
    let text = r#"[{"photo_path": "a.png", "photo_label": 1, "photo_belong_to_video_ID": 3}]"#;
    let (_folder, path) = file("train_label.json", text);
    let rows = read_label_text(&path, Some(LabelMeaning::OneIsBonaFide)).unwrap();
    assert_eq!(rows, [row("a.png", true, "", "", None)]);
    assert!(read_label_text(&path, None).is_err());
}

#[test]
fn grad_gpad() {
    let (_folder, path) = file(
        "scores.json",
        r#"{"casia-fasd_test_release/1/6.avi": 0.75, "a": 0.25}"#,
    );
    let mut rows = read_grad_gpad_scores(&path).unwrap();
    assert_eq!(
        (rows[1].dataset.as_str(), rows[1].name.as_str()),
        ("casia_fasd", "test_release/1/6.avi")
    );
    assert_eq!(rows[0].dataset, "");
    assert_eq!((rows[0].score, rows[1].score), (Some(0.75), Some(0.25)));
    assert_eq!(rows[0].bona_fide, None);
    let back: serde_json::Value = serde_json::from_str(&write_grad_gpad_scores(&rows)).unwrap();
    assert_eq!(back["a"], 0.25);
    assert_eq!(back["casia-fasd_test_release/1/6.avi"], 0.75);
    // Scores have no labels: whoever needs them says so.
    assert!(
        write_bob(&rows)
            .unwrap_err()
            .to_string()
            .contains("`a` has no label")
    );

    let list = r#"{"annotations": [
        {"id": "a", "dataset": "x", "categorization": {"coarse_grained_pai": 0, "pas_type": 0}},
        {"id": "casia-fasd_test_release/1/6.avi", "categorization": {"coarse_grained_pai": 3}}
    ], "num_annotations": 2}"#;
    let (_folder, path) = file("annotations.json", list);
    let list = read_grad_gpad_list(&path).unwrap();
    assert_eq!(list[0], row("a", true, "", "", None));
    assert_eq!(list[1].attack_type, "mask");
    for (row, label) in rows.iter_mut().zip(&list) {
        row.bona_fide = label.bona_fide;
    }
    check_polarity(&rows).unwrap();
    let (_folder, path) = file("back.json", &write_grad_gpad_list(&list).unwrap());
    assert_eq!(read_grad_gpad_list(&path).unwrap(), list);
    // A recording of an index of ours, by their names.
    let recording = ExchangeRow {
        dataset: "hkbu_mars".into(),
        ..row(
            "HKBU_MARs_V2/HKBU_MARs_V2/real/01/01_01_01.avi",
            true,
            "",
            "",
            None,
        )
    };
    let text = write_grad_gpad_list(&[recording]).unwrap();
    for field in [
        r#""id": "hkbuV2_real/01/01_01_01.avi""#,
        r#""dataset": "hkbuV2""#,
        r#""media": "real/01/01_01_01.avi""#,
    ] {
        assert!(text.contains(field), "{field}: {text}");
    }
    let ours = [row("x", false, "paper_mask", "", None)];
    assert!(
        write_grad_gpad_list(&ours)
            .unwrap()
            .contains("\"coarse_grained_pai\": 3")
    );
    let error = write_grad_gpad_list(&[row("x", false, "hologram", "", None)])
        .unwrap_err()
        .to_string();
    assert!(error.contains("attack type `hologram`"), "{error}");
}
