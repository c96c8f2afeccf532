//! A face in a photo, by whichever detector.

/// Left eye, right eye, nose, left and right corner of the mouth; x and y in pixels.
pub type Landmarks = [[f32; 2]; 5];

/// A face found in a photo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Face {
    /// Left, top, right and bottom, in pixels of the photo; may reach beyond it.
    pub bounds: [f32; 4],
    /// The detector's confidence, in `[0, 1]`.
    pub score: f32,
    /// Landmarks, if the detector finds them.
    pub landmarks: Option<Landmarks>,
}

impl Face {
    /// Area of the bounds, in pixels; zero if they are turned inside out.
    pub fn area(&self) -> f32 {
        let [left, top, right, bottom] = self.bounds;
        (right - left).max(0.0) * (bottom - top).max(0.0)
    }

    /// The face of the largest area, the earlier one of equals.
    pub fn largest(faces: &[Self]) -> Option<&Self> {
        faces.iter().reduce(|best, face| {
            if face.area() > best.area() {
                face
            } else {
                best
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(bounds: [f32; 4], score: f32) -> Face {
        Face {
            bounds,
            score,
            landmarks: None,
        }
    }

    #[test]
    fn the_largest_is_by_area_and_the_first_of_equals() {
        let faces = [
            face([0.0, 0.0, 4.0, 5.0], 0.9),
            face([1.0, 1.0, 6.0, 6.0], 0.7),
            face([3.0, 0.0, 28.0, 1.0], 0.8),
            face([9.0, 9.0, 1.0, 1.0], 1.0),
        ];
        assert_eq!(faces.map(|face| face.area()), [20.0, 25.0, 25.0, 0.0]);
        assert_eq!(Face::largest(&faces).unwrap().score, 0.7);
        assert_eq!(Face::largest(&[]), None);
    }
}
