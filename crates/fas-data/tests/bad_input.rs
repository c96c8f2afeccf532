//! Every row of `docs/bad-input.md`, on files made by rule: a clear error or a defined behaviour.

#[path = "bad_input/image_bytes.rs"]
mod image_bytes;

use std::fs;
use std::path::{Path, PathBuf};

use fas_data::{
    DataError, ImageLimits, Manifest, ManifestProblem, center_crop, image_to_array, list_images,
    load_rgb, load_rgb_with_limits, resize,
};
use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, ImageBuffer, ImageFormat, Luma, Rgb, RgbImage, Rgba};
use image_bytes::{
    bmp_of_size, encode, four_component_jpeg, jpeg, jpeg_of_size, picture, png_header,
    with_orientation,
};
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// The error of loading `bytes` from a file `name`, whose message names the file.
fn load_error(name: &str, bytes: impl AsRef<[u8]>) -> DataError {
    let folder = Folder::new();
    let path = folder.write(name, bytes);
    let error = load_rgb(&path).unwrap_err();
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
    error
}

fn load(bytes: impl AsRef<[u8]>) -> RgbImage {
    load_rgb(Folder::new().write("image", bytes)).unwrap()
}

const FORMATS: [ImageFormat; 4] = [
    ImageFormat::Png,
    ImageFormat::Bmp,
    ImageFormat::Tiff,
    ImageFormat::WebP,
];

#[test]
fn a_missing_file() {
    let folder = Folder::new();
    let error = load_rgb(folder.path().join("gone.png")).unwrap_err();
    assert!(matches!(error, DataError::Io { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("gone.png: cannot read the image"),
        "{error}"
    );
}

#[test]
fn a_folder_in_place_of_a_file() {
    let folder = Folder::new();
    let error = load_rgb(folder.path()).unwrap_err();
    assert!(matches!(error, DataError::NotAFile(_)), "{error}");
}

#[test]
fn zero_bytes() {
    let error = load_error("empty.png", "");
    assert!(matches!(error, DataError::EmptyFile(_)), "{error}");
}

#[test]
fn content_that_is_no_image() {
    for (name, content) in [
        ("text.png", &b"not an image"[..]),
        ("clip.gif", b"GIF89a\x01\0\x01\0"),
    ] {
        let error = load_error(name, content);
        assert!(matches!(error, DataError::UnknownImageFormat(_)), "{error}");
    }
}

#[test]
fn a_wrong_or_no_extension() {
    let folder = Folder::new();
    for format in FORMATS {
        let path = folder.write("face.jpg", encode(picture(), format));
        assert_eq!(load_rgb(&path).unwrap(), picture(), "{format:?}");
        let path = folder.write("face", encode(picture(), format));
        assert_eq!(load_rgb(&path).unwrap(), picture(), "{format:?}");
    }
}

#[test]
fn truncated_images() {
    // Noise, so that no format ends early.
    let noise = RgbImage::from_fn(64, 64, |x, y| {
        Rgb([(x * x * 7) ^ (y * 31), x * y, y * y * x].map(|v| v as u8))
    });
    for format in FORMATS {
        let whole = encode(noise.clone(), format);
        assert_eq!(load(&whole), noise, "{format:?}");
        for share in [2, 30, 60, 95] {
            let error = load_error("cut.png", &whole[..whole.len() * share / 100]);
            assert!(
                matches!(error, DataError::ImageDecode { .. }),
                "{format:?} {share}: {error}"
            );
        }
    }
    let whole = jpeg(&noise);
    load(&whole);
    for share in [30, 60, 95] {
        let error = load_error("cut.jpg", &whole[..whole.len() * share / 100]);
        assert!(
            matches!(error, DataError::TruncatedImage(_)),
            "{share}: {error}"
        );
    }
    // Without its two last bytes, the end marker, too.
    let error = load_error("cut.jpg", &whole[..whole.len() - 2]);
    assert!(matches!(error, DataError::TruncatedImage(_)), "{error}");
    let error = load_error("cut.jpg", &whole[..40]);
    assert!(matches!(error, DataError::ImageDecode { .. }), "{error}");
}

#[test]
fn damaged_bytes_in_the_middle() {
    let mut bytes = encode(picture(), ImageFormat::Png);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    let error = load_error("damaged.png", bytes);
    assert!(matches!(error, DataError::ImageDecode { .. }), "{error}");
}

#[test]
fn a_header_of_50_000_by_50_000() {
    for bytes in [
        png_header(50_000, 50_000),
        jpeg_of_size(50_000, 50_000),
        bmp_of_size(50_000, 50_000),
    ] {
        let error = load_error("huge.png", bytes);
        let DataError::ImageTooLarge {
            width: 50_000,
            height: 50_000,
            bytes,
            ..
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!(bytes, 7_500_000_000);
        assert!(
            error
                .to_string()
                .contains("50000 x 50000 pixels would need 7500000000 bytes")
        );
    }
    // Sides within the limit, but too many pixels; few pixels, but a side beyond the limit.
    for (width, height) in [(30_000, 30_000), (40_000, 1)] {
        let error = load_error("huge.png", png_header(width, height));
        assert!(matches!(error, DataError::ImageTooLarge { .. }), "{error}");
    }
}

#[test]
fn limits_can_be_set() {
    let folder = Folder::new();
    let path = folder.write("face.png", encode(picture(), ImageFormat::Png));
    let limits = ImageLimits {
        max_side: 24,
        max_decoded_bytes: 24 * 16 * 3,
        ..ImageLimits::default()
    };
    assert_eq!(load_rgb_with_limits(&path, &limits).unwrap(), picture());
    for tight in [
        ImageLimits {
            max_side: 23,
            ..limits
        },
        ImageLimits {
            max_decoded_bytes: 24 * 16 * 3 - 1,
            ..limits
        },
    ] {
        let error = load_rgb_with_limits(&path, &tight).unwrap_err();
        assert!(matches!(error, DataError::ImageTooLarge { .. }), "{error}");
    }
    let tight = ImageLimits {
        max_file_bytes: 10,
        ..limits
    };
    let error = load_rgb_with_limits(&path, &tight).unwrap_err();
    assert!(
        matches!(error, DataError::FileTooLarge { max_bytes: 10, .. }),
        "{error}"
    );
}

#[test]
fn one_pixel() {
    let one = RgbImage::from_pixel(1, 1, Rgb([1, 2, 3]));
    for format in FORMATS {
        assert_eq!(load(encode(one.clone(), format)), one);
    }
    assert_eq!(
        resize(&one, 3, 2),
        RgbImage::from_pixel(3, 2, Rgb([1, 2, 3]))
    );
    assert_eq!(image_to_array(&one).dim(), (3, 1, 1));
    assert!(matches!(
        center_crop(&one, 2, 2),
        Err(DataError::CropTooLarge { .. })
    ));
}

#[test]
fn zero_pixels() {
    for bytes in [png_header(0, 5), jpeg_of_size(0, 5)] {
        let error = load_error("none.png", bytes);
        assert!(matches!(error, DataError::ImageDecode { .. }), "{error}");
    }
}

#[test]
fn grey_images_have_three_equal_channels() {
    let grey = GrayImage::from_fn(8, 8, |x, y| Luma([(x * 20 + y) as u8]));
    let expected = RgbImage::from_fn(8, 8, |x, y| Rgb([(x * 20 + y) as u8; 3]));
    assert_eq!(load(encode(grey, ImageFormat::Png)), expected);
    let mut bytes = Vec::new();
    let flat = GrayImage::from_pixel(16, 16, Luma([77]));
    JpegEncoder::new(&mut bytes).encode_image(&flat).unwrap();
    assert_eq!(load(bytes), RgbImage::from_pixel(16, 16, Rgb([77; 3])));
}

#[test]
fn sixteen_bits_become_the_nearest_eight() {
    let values = [
        0, 128, 129, 257, 385, 386, 32_767, 65_406, 65_407, 65_535_u16,
    ];
    let eight = [0, 0, 1, 1, 1, 2, 127, 254, 255, 255_u8];
    let expected = RgbImage::from_fn(10, 1, |x, _| Rgb([eight[x as usize], 0, 255]));
    let rgb: ImageBuffer<Rgb<u16>, Vec<u16>> =
        ImageBuffer::from_fn(10, 1, |x, _| Rgb([values[x as usize], 0, 65_535]));
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        assert_eq!(load(encode(rgb.clone(), format)), expected);
    }
    let grey: ImageBuffer<Luma<u16>, Vec<u16>> =
        ImageBuffer::from_fn(10, 1, |x, _| Luma([values[x as usize]]));
    let expected = RgbImage::from_fn(10, 1, |x, _| Rgb([eight[x as usize]; 3]));
    assert_eq!(load(encode(grey, ImageFormat::Png)), expected);
}

#[test]
fn alpha_is_dropped() {
    let image = ImageBuffer::from_fn(4, 1, |x, _| Rgba([10, 20, 30, x as u8 * 85]));
    for format in [ImageFormat::Png, ImageFormat::Tiff, ImageFormat::WebP] {
        let loaded = load(encode(image.clone(), format));
        assert_eq!(
            loaded,
            RgbImage::from_pixel(4, 1, Rgb([10, 20, 30])),
            "{format:?}"
        );
    }
}

#[test]
fn floating_point_pixels_are_refused() {
    let image: ImageBuffer<Rgb<f32>, Vec<f32>> = ImageBuffer::from_pixel(2, 2, Rgb([0.5; 3]));
    let error = load_error("float.tif", encode(image, ImageFormat::Tiff));
    assert!(
        matches!(error, DataError::UnsupportedPixelFormat { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("Rgb32F"), "{error}");
}

#[test]
fn cmyk_jpegs_are_converted() {
    let pixel = |transform, components| {
        let image = load(four_component_jpeg(transform, components));
        assert_eq!(image.dimensions(), (8, 8));
        let pixel = *image.get_pixel(0, 0);
        assert!(image.pixels().all(|other| *other == pixel));
        pixel.0.map(f64::from)
    };
    // Adobe stores 255 - ink: red is 228 * 192 / 255, and so on.
    let [c, m, y, k] = [228, 28, 208, 192];
    let expected = [c, m, y].map(|ink| f64::from(ink) * 192.0 / 255.0);
    for (found, expected) in pixel(0, [c, m, y, k]).into_iter().zip(expected) {
        assert!((found - expected).abs() <= 1.0, "{found} is not {expected}");
    }
    // YCCK: Y 228, Cb 192, Cr 64 are R 138.3, G 251.7, B 255 by ITU T.871, whose complements are the
    // stored C, M, Y.
    let expected = [138.272, 251.727, 255.0].map(|value| (255.0 - value) * 192.0 / 255.0);
    for (found, expected) in pixel(2, [228, 192, 64, 192]).into_iter().zip(expected) {
        assert!((found - expected).abs() <= 1.0, "{found} is not {expected}");
    }
}

#[test]
fn exif_orientation_is_applied() {
    // Quadrants: top left red, top right green, bottom left blue, bottom right black.
    let stored = RgbImage::from_fn(32, 16, |x, y| {
        Rgb(match (x < 16, y < 8) {
            (true, true) => [255, 0, 0],
            (false, true) => [0, 255, 0],
            (true, false) => [0, 0, 255],
            (false, false) => [0, 0, 0],
        })
    });
    let bytes = jpeg(&stored);
    let name = |pixel: &Rgb<u8>| match pixel.0.map(|value| value > 128) {
        [true, false, false] => 'r',
        [false, true, false] => 'g',
        [false, false, true] => 'b',
        _ => 'k',
    };
    // Quadrants of the upright image by EXIF 2.3, table of tag 0x0112; 0 and 9 are undefined.
    let upright = [
        "rgbk", "rgbk", "grkb", "kbgr", "bkrg", "rbgk", "brkg", "kgbr", "gkrb", "rgbk",
    ];
    for (orientation, quadrants) in upright.into_iter().enumerate() {
        let image = load(with_orientation(&bytes, orientation as u8));
        let turned = (5..=8).contains(&orientation);
        let (width, height) = if turned { (16, 32) } else { (32, 16) };
        assert_eq!(
            image.dimensions(),
            (width, height),
            "orientation {orientation}"
        );
        let (left, right, top, bottom) = (width / 4, 3 * width / 4, height / 4, 3 * height / 4);
        let found: String = [(left, top), (right, top), (left, bottom), (right, bottom)]
            .map(|(x, y)| name(image.get_pixel(x, y)))
            .into_iter()
            .collect();
        assert_eq!(found, quadrants, "orientation {orientation}");
    }
}

#[test]
fn an_empty_folder() {
    let folder = Folder::new();
    let error = list_images(folder.path()).unwrap_err();
    assert!(matches!(error, DataError::NoImages(_)), "{error}");
    assert!(
        error.to_string().contains(folder.path().to_str().unwrap()),
        "{error}"
    );
}

#[test]
#[cfg(unix)]
fn a_folder_that_links_to_itself() {
    let folder = Folder::new();
    let path = folder.write("a/face.png", encode(picture(), ImageFormat::Png));
    std::os::unix::fs::symlink(folder.path(), folder.path().join("a/again")).unwrap();
    assert_eq!(list_images(folder.path()).unwrap(), [path]);
}

const HEADER: &str =
    "id,path,label,species,domain,split,subject,video,style,synthetic,quality_score";

/// The problem and line of a manifest whose third line is `row`, beside a good image `face.png`.
fn manifest_problem(folder: &Folder, row: &str) -> (u64, ManifestProblem) {
    folder.write("face.png", encode(picture(), ImageFormat::Png));
    let good = "a,face.png,bona_fide,,C,train,anna,,C/bona_fide,false,";
    let path = folder.write("manifest.csv", format!("{HEADER}\n{good}\n{row}\n"));
    match Manifest::read(&path).unwrap_err() {
        DataError::ManifestLine {
            path: named,
            line,
            source,
        } => {
            assert_eq!(named, path);
            (line, source)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_row_with_a_missing_file() {
    let row = "b,gone.png,bona_fide,,C,train,anna,,C/bona_fide,false,";
    let (line, problem) = manifest_problem(&Folder::new(), row);
    assert_eq!(line, 3);
    assert!(matches!(&problem, ManifestProblem::MissingFile(path) if path.ends_with("gone.png")));
    assert!(
        problem
            .to_string()
            .contains("copy it there, or remove the row")
    );
    let folder = Folder::new();
    fs::create_dir(folder.path().join("dir")).unwrap();
    let row = "b,dir,bona_fide,,C,train,anna,,C/bona_fide,false,";
    assert!(matches!(
        manifest_problem(&folder, row),
        (3, ManifestProblem::NotAFile(_))
    ));
}

#[test]
fn a_row_whose_path_leaves_the_root() {
    let outside = Folder::new();
    let target = outside.write("secret.png", encode(picture(), ImageFormat::Png));
    let folder = Folder::new();
    let inside_name = folder
        .path()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    for path in [
        target.to_str().unwrap(),
        "../secret.png",
        &format!("../{inside_name}/face.png"),
    ] {
        let row = format!("b,{path},bona_fide,,C,train,anna,,C/bona_fide,false,");
        let (line, problem) = manifest_problem(&folder, &row);
        assert_eq!(line, 3);
        assert!(
            matches!(problem, ManifestProblem::PathLeavesRoot { .. }),
            "{problem}"
        );
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&target, folder.path().join("link.png")).unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("dir")).unwrap();
        for path in ["link.png", "dir/secret.png"] {
            let row = format!("b,{path},bona_fide,,C,train,anna,,C/bona_fide,false,");
            let (line, problem) = manifest_problem(&folder, &row);
            assert_eq!(line, 3);
            assert!(
                problem
                    .to_string()
                    .contains("is a link to a place outside the root"),
                "{problem}"
            );
        }
    }
}

#[test]
#[cfg(unix)]
fn links_within_the_root_and_a_linked_root_are_fine() {
    let folder = Folder::new();
    folder.write("data/face.png", encode(picture(), ImageFormat::Png));
    std::os::unix::fs::symlink("face.png", folder.path().join("data/link.png")).unwrap();
    std::os::unix::fs::symlink("data", folder.path().join("root")).unwrap();
    let row = "a,link.png,bona_fide,,C,train,anna,,C/bona_fide,false,1.5";
    let path = folder.write("elsewhere/manifest.csv", format!("{HEADER}\n{row}\n"));
    let manifest = Manifest::read_in(path, folder.path().join("root")).unwrap();
    manifest.check_files().unwrap();
    let sample = &manifest.samples()[0];
    assert_eq!(sample.quality_score, Some(1.5));
    assert_eq!(load_rgb(manifest.image_path(sample)).unwrap(), picture());
    fs::remove_file(folder.path().join("data/face.png")).unwrap();
    let error = manifest.check_files().unwrap_err().to_string();
    assert!(
        error.contains("sample 0 (id `a`)") && error.contains("is missing"),
        "{error}"
    );
}

#[test]
fn duplicate_ids() {
    let row = "a,face.png,bona_fide,,C,train,anna,,C/bona_fide,false,";
    let (line, problem) = manifest_problem(&Folder::new(), row);
    assert_eq!(line, 3);
    assert_eq!(
        problem,
        ManifestProblem::DuplicateId {
            id: "a".into(),
            first: "line 2".into()
        }
    );
}

#[test]
fn a_manifest_that_is_missing_or_of_another_kind() {
    let folder = Folder::new();
    let error = Manifest::read(folder.path().join("gone.csv"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("gone.csv: cannot read the manifest"),
        "{error}"
    );
    let path = folder.write("scores.csv", "score,label\n0.5,attack\n");
    let error = Manifest::read(path).unwrap_err().to_string();
    assert!(
        error.contains("scores.csv, line 1: unknown column `score`"),
        "{error}"
    );
}

#[test]
fn a_failed_write_leaves_the_old_manifest() {
    let folder = Folder::new();
    let manifest = Manifest::new(folder.path(), Vec::new()).unwrap();
    let error = manifest
        .write(folder.path().join("gone/manifest.csv"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("cannot write the manifest"), "{error}");
    // A folder of that name cannot be replaced by a file; nothing stays behind.
    fs::create_dir(folder.path().join("manifest.csv")).unwrap();
    manifest
        .write(folder.path().join("manifest.csv"))
        .unwrap_err();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
