//! Checkpoints that PyTorch wrote (`tests/pytorch/make.py`), and what becomes of them in bad hands.

use std::path::PathBuf;

use super::*;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/pytorch")
        .join(name)
}

fn error(name: &str, key: Option<&str>) -> String {
    read_pytorch(&path(name), key).unwrap_err().to_string()
}

/// `0/8 - 1, 1/8 - 1, …`, as `ramp` in make.py.
fn ramp(indices: impl IntoIterator<Item = usize>) -> Vec<f32> {
    indices.into_iter().map(|i| i as f32 / 8.0 - 1.0).collect()
}

fn expected() -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let entries: [(&str, &[usize], Vec<f32>); 10] = [
        ("f32", &[2, 3], ramp(0..6)),
        ("f64", &[3], ramp(0..3)),
        ("f16", &[5], ramp(0..5)),
        ("bf16", &[5], ramp(0..5)),
        ("scalar", &[], vec![2.5]),
        ("counter", &[], vec![123_456.0]),
        ("transposed", &[3, 2], ramp([0, 3, 1, 4, 2, 5])),
        ("part", &[2, 3], ramp([6, 8, 10, 12, 14, 16])),
        ("tied", &[4, 6], ramp(0..24)),
        ("parameter", &[2], ramp(0..2)),
    ];
    entries
        .into_iter()
        .map(|(name, shape, values)| (name.to_owned(), (shape.to_vec(), values)))
        .collect()
}

#[test]
fn both_formats_give_every_dtype_and_layout() {
    for (name, key) in [
        ("zip.pt", Some("model")),
        ("legacy.pt", Some("model")),
        ("state_dict.pt", None),
        // The prefix of DataParallel.
        ("zip.pt", Some("state_dict")),
        ("legacy.pt", Some("state_dict")),
    ] {
        let weights = read_pytorch(&path(name), key).unwrap();
        assert_eq!(weights.tensors, expected(), "{name} {key:?}");
    }
    let average = read_pytorch(&path("zip.pt"), Some("ema")).unwrap();
    assert_eq!(average.tensors["scalar"].1, [5.0]);
    assert_eq!(average.tensors["counter"].1, [123_456.0]);
}

#[test]
fn a_whole_module_is_its_state() {
    let weights = read_pytorch(&path("module.pkl"), None).unwrap();
    let names: Vec<&str> = weights.tensors.keys().map(String::as_str).collect();
    let expected = [
        "0.bias",
        "0.weight",
        "1.bias",
        "1.num_batches_tracked",
        "1.running_mean",
        "1.running_var",
        "1.weight",
    ];
    assert_eq!(names, expected);
    assert_eq!(weights.tensors["0.weight"], (vec![2, 1, 1, 1], ramp(0..2)));
}

#[test]
fn the_right_key_is_told() {
    let keys = r#"["conf", "ema", "model", "optimizer", "state_dict"]"#;
    for name in ["zip.pt", "legacy.pt"] {
        let missing = error(name, Some("weights"));
        assert!(
            missing.contains(&format!(
                r#"no weights under "weights"; the checkpoint has {keys}"#
            )),
            "{missing}"
        );
        let whole = error(name, None);
        assert!(
            whole.contains("optimizer.state is a dict, not a tensor"),
            "{whole}"
        );
        assert!(whole.ends_with(&format!("among {keys}")), "{whole}");
        let object = error(name, Some("conf"));
        assert!(
            object.contains("conf is an object of __main__.Conf"),
            "{object}"
        );
        let inside = error(name, Some("optimizer"));
        assert!(inside.contains("optimizer.state is a dict"), "{inside}");
    }
}

#[test]
fn nothing_is_executed() {
    let inside = error("evil_inside.pt", Some("model"));
    assert!(
        inside.contains("model.evil is an object of posix.system, not a tensor"),
        "{inside}"
    );
    let beside = read_pytorch(&path("evil_beside.pt"), Some("model")).unwrap();
    assert_eq!(beside.tensors["weight"].1, ramp(0..2));
    assert!(!path("owned").exists() && !PathBuf::from("owned").exists());
}

#[test]
fn what_is_no_weight_is_refused() {
    let expanded = error("expanded.pt", None);
    assert!(
        expanded.contains("the tensors take 2147483648 bytes"),
        "{expanded}"
    );
    let index = error("index.pt", None);
    assert!(index.contains("tensor index is stored as I64"), "{index}");
    let mask = error("mask.pt", None);
    assert!(mask.contains("tensor mask is stored as Bool"), "{mask}");
    let complex = error("complex.pt", None);
    assert!(
        complex.contains("storage of type torch.ComplexFloatStorage"),
        "{complex}"
    );
    let missing = error("none.pt", None);
    assert!(missing.contains("none.pt: No such file"), "{missing}");
    let script = error("make.py", None);
    assert!(script.contains("neither a zip file"), "{script}");
}

#[test]
fn a_truncated_file_is_an_error_wherever_it_ends() {
    for name in ["zip.pt", "legacy.pt", "module.pkl"] {
        let bytes = std::fs::read(path(name)).unwrap();
        let key = (name != "module.pkl").then_some("model");
        for length in 0..bytes.len() {
            let read = from_bytes(&bytes[..length], key, &path(name));
            assert!(read.is_err(), "{name} of {length} bytes");
        }
    }
}

#[test]
fn a_changed_byte_never_panics() {
    for (name, key) in [
        ("zip.pt", Some("model")),
        ("legacy.pt", Some("model")),
        ("module.pkl", None),
    ] {
        let good = std::fs::read(path(name)).unwrap();
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0xff >> (at % 8);
            // An error or other numbers, but an end.
            let _ = from_bytes(&bytes, key, &path(name));
        }
    }
}

#[test]
fn a_changed_number_breaks_the_checksum() {
    let mut bytes = std::fs::read(path("state_dict.pt")).unwrap();
    let number = (-0.875_f32).to_le_bytes();
    let at = bytes
        .windows(4)
        .position(|window| window == number)
        .unwrap();
    bytes[at] ^= 1;
    let error = from_bytes(&bytes, None, &path("state_dict.pt")).unwrap_err();
    assert!(error.to_string().contains("checksum of"), "{error}");
}

/// A legacy file around one pickle, with one storage of four numbers.
fn legacy(pickle: &[u8]) -> Vec<u8> {
    let mut bytes =
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.".to_vec();
    bytes.extend(b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.");
    bytes.extend(pickle);
    bytes.extend(b"\x80\x02]X\x01\x00\x00\x000a.");
    bytes.extend(4_u64.to_le_bytes());
    bytes.extend([0; 16]);
    bytes
}

/// `{"w": tensor}` with this offset, shape and strides, each four bytes signed.
fn tensor(offset: i32, shape: i32, stride: i32, length: i32) -> Vec<u8> {
    let number = |value: i32| [&b"J"[..], &value.to_le_bytes()].concat();
    let mut pickle =
        b"}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\n\
                       FloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
            .to_vec();
    pickle.extend(number(length));
    pickle.extend(b"tQ");
    pickle.extend(number(offset));
    pickle.extend(number(shape));
    pickle.extend(b"\x85");
    pickle.extend(number(stride));
    pickle.extend(b"\x85\x89NtRs.");
    pickle
}

#[test]
fn offsets_sizes_and_strides_stay_in_their_storage() {
    let read = |pickle: &[u8]| from_bytes(&legacy(pickle), None, std::path::Path::new("x.pt"));
    let good = read(&tensor(1, 3, 1, 4)).unwrap();
    assert_eq!(good.tensors["w"], (vec![3], vec![0.0; 3]));
    let empty = read(&tensor(400, 0, 1, 4)).unwrap();
    assert_eq!(empty.tensors["w"], (vec![0], Vec::new()));
    for (pickle, expected) in [
        (
            tensor(2, 3, 1, 4),
            "a tensor of [3] leaves storage 0 of 4 numbers",
        ),
        (tensor(0, 3, 2, 4), "leaves storage 0"),
        (tensor(0, 2, i32::MAX, 4), "leaves storage 0"),
        (tensor(-1, 3, 1, 4), "an offset of -1"),
        (tensor(0, -3, 1, 4), "an offset of -3"),
        (tensor(0, 3, 1, 5), "another length than announced"),
        (tensor(0, 3, 1, i32::MAX), "another length than announced"),
        (
            tensor(0, i32::MAX, 0, 4),
            "the tensors take 8589934588 bytes",
        ),
    ] {
        let error = read(&pickle).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn dictionaries_that_hold_themselves_end() {
    // d = {"w": tensor}; d["a"] = d; d["b"] = d: twice as many entries a level.
    let tensor = tensor(0, 3, 1, 4);
    let mut pickle = b"}q\x00".to_vec();
    pickle.extend(&tensor[1..tensor.len() - 1]);
    pickle.extend(b"X\x01\x00\x00\x00ah\x00sX\x01\x00\x00\x00bh\x00s.");
    let error = from_bytes(&legacy(&pickle), None, std::path::Path::new("x.pt")).unwrap_err();
    assert!(error.to_string().contains("more than 64 levels"), "{error}");
}

#[test]
fn formats_are_told_apart_by_their_first_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let safetensors = folder.path().join("weights.bin");
    let read = read_pytorch(&path("state_dict.pt"), None).unwrap();
    read.save(&safetensors, crate::StoredFloat::F32).unwrap();
    for (file, key) in [
        (path("zip.pt"), Some("model")),
        (path("legacy.pt"), Some("model")),
        (path("state_dict.pt"), None),
        (safetensors, None),
    ] {
        let weights = crate::read_checkpoint(&file, key).unwrap();
        assert_eq!(weights.tensors, expected(), "{}", file.display());
    }
    let text = folder.path().join("text.pt");
    std::fs::write(&text, "neither of them").unwrap();
    let error = crate::read_checkpoint(&text, None).unwrap_err().to_string();
    assert!(error.contains("text.pt"), "{error}");
}
