//! Faces that were found elsewhere: a CSV file of bounds, and landmarks where there are any.
//!
//! ```csv
//! path,left,top,right,bottom,score,leye_x,leye_y,reye_x,reye_y,nose_x,nose_y,lmouth_x,lmouth_y,rmouth_x,rmouth_y
//! a/1.jpg,50,40,150,170,0.99,80,80,120,80,100,105,84,130,116,130
//! ```
//!
//! Columns may stand in any order. `score` (else 1) and the ten of the landmarks may be left out; a
//! row whose landmarks are all empty has none. Several rows of one path are several faces.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{AlignError, BoxesProblem, Face, Landmarks};

const BOUNDS: [&str; 4] = ["left", "top", "right", "bottom"];
const LANDMARKS: [&str; 10] = [
    "leye_x", "leye_y", "reye_x", "reye_y", "nose_x", "nose_y", "lmouth_x", "lmouth_y", "rmouth_x",
    "rmouth_y",
];

/// Faces by the path of their photo, as written in the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BoxesFile {
    faces: BTreeMap<PathBuf, Vec<Face>>,
}

impl BoxesFile {
    /// Reads a file; a byte order mark is skipped, `\` in paths counts as `/`.
    ///
    /// # Errors
    ///
    /// [`AlignError::Io`], or [`AlignError::Boxes`] with the line of the first mistake.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, AlignError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| AlignError::Io {
            path: path.to_owned(),
            source,
        })?;
        parse(&bytes).map_err(|(line, problem)| AlignError::Boxes {
            path: path.to_owned(),
            line,
            problem,
        })
    }

    /// Faces of a photo, in the order of the file; none for a photo it does not name.
    pub fn faces(&self, photo: &Path) -> &[Face] {
        self.faces.get(photo).map_or(&[], Vec::as_slice)
    }

    /// Number of photos named.
    pub fn len(&self) -> usize {
        self.faces.len()
    }

    /// Whether the file names no photo.
    pub fn is_empty(&self) -> bool {
        self.faces.is_empty()
    }
}

/// Where the columns are.
struct Columns {
    path: usize,
    bounds: [usize; 4],
    score: Option<usize>,
    landmarks: Option<[usize; 10]>,
}

impl Columns {
    fn new(header: &csv::StringRecord) -> Result<Self, BoxesProblem> {
        let find = |name: &str| header.iter().position(|column| column == name);
        for (index, column) in header.iter().enumerate() {
            let known = ["path", "score"].contains(&column)
                || BOUNDS.contains(&column)
                || LANDMARKS.contains(&column);
            if !known || find(column) != Some(index) {
                return Err(BoxesProblem::UnknownColumn(column.to_owned()));
            }
        }
        let need = |name: &'static str| find(name).ok_or(BoxesProblem::MissingColumn(name));
        let mut bounds = [0; 4];
        for (index, name) in bounds.iter_mut().zip(BOUNDS) {
            *index = need(name)?;
        }
        let landmarks = if LANDMARKS.iter().any(|name| find(name).is_some()) {
            let mut indices = [0; 10];
            for (index, name) in indices.iter_mut().zip(LANDMARKS) {
                *index = find(name).ok_or(BoxesProblem::PartialLandmarks(name))?;
            }
            Some(indices)
        } else {
            None
        };
        Ok(Self {
            path: need("path")?,
            bounds,
            score: find("score"),
            landmarks,
        })
    }

    fn face(&self, record: &csv::StringRecord) -> Result<Face, BoxesProblem> {
        let mut bounds = [0.0; 4];
        for (i, value) in bounds.iter_mut().enumerate() {
            *value = number(record, self.bounds[i], BOUNDS[i])?;
        }
        if !(bounds[2] > bounds[0] && bounds[3] > bounds[1]) {
            return Err(BoxesProblem::EmptyBounds);
        }
        let score = match self.score {
            Some(index) => number(record, index, "score")?,
            None => 1.0,
        };
        let present = self
            .landmarks
            .filter(|indices| indices.iter().any(|&index| !record[index].is_empty()));
        let landmarks = match present {
            Some(indices) => {
                let mut landmarks: Landmarks = [[0.0; 2]; 5];
                for (i, value) in landmarks.as_flattened_mut().iter_mut().enumerate() {
                    *value = number(record, indices[i], LANDMARKS[i])?;
                }
                Some(landmarks)
            }
            None => None,
        };
        Ok(Face {
            bounds,
            score,
            landmarks,
        })
    }
}

fn number(
    record: &csv::StringRecord,
    index: usize,
    column: &'static str,
) -> Result<f32, BoxesProblem> {
    let value = &record[index];
    match value.parse::<f32>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(BoxesProblem::NotANumber {
            column,
            value: value.to_owned(),
        }),
    }
}

fn parse(bytes: &[u8]) -> Result<BoxesFile, (u64, BoxesProblem)> {
    let malformed = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        (line, BoxesProblem::Malformed(error.to_string()))
    };
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::Reader::from_reader(text);
    let columns = Columns::new(reader.headers().map_err(malformed)?).map_err(|p| (1, p))?;
    let mut file = BoxesFile::default();
    for record in reader.records() {
        let record = record.map_err(malformed)?;
        let line = record.position().map_or(0, csv::Position::line);
        let face = columns.face(&record).map_err(|problem| (line, problem))?;
        let path = PathBuf::from(record[columns.path].replace('\\', "/"));
        file.faces.entry(path).or_default().push(face);
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "path,left,top,right,bottom";

    #[test]
    fn rows_become_faces_by_photo() {
        let text = "\u{feff}score,path,left,top,right,bottom,leye_x,leye_y,reye_x,reye_y,nose_x,\
                    nose_y,lmouth_x,lmouth_y,rmouth_x,rmouth_y\n\
                    0.5,a\\1.jpg,1,2,3,4.5,1,2,3,4,5,6,7,8,9,10\n\
                    0.9,a/1.jpg,-1,0,3,4,,,,,,,,,,\n";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("boxes.csv");
        std::fs::write(&path, text).unwrap();
        let file = BoxesFile::read(&path).unwrap();
        assert_eq!((file.len(), file.is_empty()), (1, false));
        let landmarks = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0]];
        let faces = file.faces(Path::new("a/1.jpg"));
        assert_eq!(
            faces[0],
            Face {
                bounds: [1.0, 2.0, 3.0, 4.5],
                score: 0.5,
                landmarks: Some(landmarks)
            }
        );
        assert_eq!((faces[1].score, faces[1].landmarks), (0.9, None));
        assert_eq!(file.faces(Path::new("b.jpg")), []);
        let plain = parse(format!("{HEAD}\nx.png,0,0,2,2\n").as_bytes()).unwrap();
        assert_eq!(plain.faces(Path::new("x.png"))[0].score, 1.0);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, line, message) in [
            ("path,left,top,right\n", 1, "no column `bottom`"),
            ("path,left,top,right,bottom,width\n", 1, "column `width`"),
            (
                "path,left,top,right,bottom,left\n",
                1,
                "repeated column `left`",
            ),
            ("path,left,top,right,bottom,leye_x\n", 1, "but not `leye_y`"),
            (
                "path,left,top,right,bottom\na,0,0,1,1\nb,0,x,1,1\n",
                3,
                "top `x` is no",
            ),
            (
                "path,left,top,right,bottom\na,0,0,1,inf\n",
                2,
                "bottom `inf`",
            ),
            (
                "path,left,top,right,bottom\na,3,0,1,1\n",
                2,
                "greater than left",
            ),
            ("path,left,top,right,bottom\na,3,0\n", 2, "fields"),
        ] {
            let (at, problem) = parse(text.as_bytes()).unwrap_err();
            assert!(problem.to_string().contains(message), "{text}: {problem}");
            assert_eq!(at, line, "{text}");
        }
        let error = BoxesFile::read("/no/such/boxes.csv")
            .unwrap_err()
            .to_string();
        assert!(error.contains("/no/such/boxes.csv"), "{error}");
    }
}
