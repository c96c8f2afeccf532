//! Running a crate against its parity cases.

use std::collections::BTreeMap;
use std::error::Error;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::TensorData;

use crate::{Fixture, FixtureError, ParamSite, Tolerance, WeightSource, load_weights};

/// The cases of some components, found and ready to run.
#[derive(Debug)]
pub struct Parity {
    components: Vec<String>,
    cases: Vec<Fixture>,
}

impl Parity {
    /// Finds the cases whose `component` is one of `components` in `crate_dir/tests/parity/` and in
    /// every folder of the colon-separated environment variable `FAS_FIXTURES`.
    ///
    /// `crate_dir` is the caller's `env!("CARGO_MANIFEST_DIR")`. A relative folder counts from the
    /// workspace root, `crate_dir/../..`. A case found twice runs once, the crate's own copy first.
    ///
    /// # Panics
    ///
    /// Panics if a folder of `FAS_FIXTURES` or a `.safetensors` file in any of the folders cannot be
    /// read: a parity run that silently skips its cases is worth nothing.
    pub fn discover(crate_dir: impl AsRef<Path>, components: &[&str]) -> Self {
        let variable = std::env::var("FAS_FIXTURES").unwrap_or_default();
        match Self::discover_in(crate_dir.as_ref(), &variable, components) {
            Ok(parity) => parity,
            Err(error) => panic!("looking for parity cases of {components:?}: {error}"),
        }
    }

    fn discover_in(
        crate_dir: &Path,
        fixtures: &str,
        components: &[&str],
    ) -> Result<Self, FixtureError> {
        let own = crate_dir.join("tests/parity");
        let mut folders: Vec<PathBuf> = if own.is_dir() { vec![own] } else { Vec::new() };
        let root = crate_dir.join("../..");
        let listed = fixtures.split(':').filter(|folder| !folder.is_empty());
        folders.extend(listed.map(|folder| root.join(folder)));

        let mut cases: BTreeMap<String, Fixture> = BTreeMap::new();
        for folder in folders {
            for path in safetensors_in(&folder)? {
                if let Some(case) = Fixture::open_if(&path, components)? {
                    cases.entry(case.case().to_owned()).or_insert(case);
                }
            }
        }
        Ok(Self {
            components: components.iter().map(|&c| c.to_owned()).collect(),
            cases: cases.into_values().collect(),
        })
    }

    /// Keeps the cases for which `keep` is true, for a test that runs the slow ones apart.
    pub fn retain(mut self, keep: impl FnMut(&Fixture) -> bool) -> Self {
        self.cases.retain(keep);
        self
    }

    /// The cases, by name.
    pub fn cases(&self) -> &[Fixture] {
        &self.cases
    }

    /// Runs `check` on every case.
    ///
    /// Prints `parity <case> <output> max_abs=<x> atol=<y> ok` (or `FAIL`) for every output that is
    /// checked, and `skipped: set FAS_FIXTURES` if there is no case.
    ///
    /// # Panics
    ///
    /// Panics after the last case if any output was out of tolerance, any output of a case was
    /// neither [checked](Case::check) nor [waived](Case::waive), or `check` returned an error.
    pub fn run(self, mut check: impl FnMut(&mut Case) -> Result<(), Box<dyn Error>>) {
        if self.cases.is_empty() {
            println!(
                "skipped: set FAS_FIXTURES (no case of {})",
                self.components.join(", ")
            );
        }
        let mut failures = Vec::new();
        for fixture in self.cases {
            let mut case = Case::new(fixture);
            if let Err(error) = check(&mut case) {
                case.failures.push(format!("{}: {error}", case.case()));
            }
            failures.append(&mut case.finish());
        }
        assert!(
            failures.is_empty(),
            "{} parity failures\n{}",
            failures.len(),
            failures.join("\n")
        );
    }
}

/// One case during a [run](Parity::run): the [`Fixture`], and what has been checked so far.
#[derive(Debug)]
pub struct Case {
    fixture: Fixture,
    done: BTreeMap<String, bool>,
    failures: Vec<String>,
}

impl Deref for Case {
    type Target = Fixture;

    fn deref(&self) -> &Fixture {
        &self.fixture
    }
}

impl Case {
    fn new(fixture: Fixture) -> Self {
        Self {
            fixture,
            done: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    /// Fills `module` with the weights of this case; see [`load_weights`].
    ///
    /// # Errors
    ///
    /// [`FixtureError::Weights`] if they do not fit one to one.
    pub fn load<M: Module>(
        &self,
        module: M,
        source: impl FnMut(&ParamSite) -> Option<WeightSource>,
    ) -> Result<M, FixtureError> {
        load_weights(&self.fixture, module, source)
    }

    /// Compares `actual` with the output `name` (without `out.`) under the tolerance of the case,
    /// and exactly if the case states none. Shapes must agree; a non-finite value fails unless the
    /// reference has the same one. Returns whether it passed; the run fails in any case.
    pub fn check(&mut self, name: &str, actual: &TensorData) -> bool {
        let exact = Tolerance {
            atol: 0.0,
            rtol: 0.0,
        };
        let tolerance = self.fixture.tolerance(name).unwrap_or(exact);
        self.check_within(name, actual, tolerance)
    }

    /// [`check`](Self::check) under a tolerance of the caller's: for outputs without one in the
    /// case, or, with the reason in a comment, for a looser one.
    pub fn check_within(&mut self, name: &str, actual: &TensorData, tolerance: Tolerance) -> bool {
        let line = match self.fixture.output(name) {
            Err(error) => {
                self.failures.push(error.to_string());
                return false;
            }
            Ok(expected) => compare(expected, actual, tolerance),
        };
        let (ok, text) = match line {
            Ok((deviation, bound, ok)) => (ok, format!("max_abs={deviation:.3e} atol={bound:.3e}")),
            Err(why) => (false, why),
        };
        let verdict = if ok { "ok" } else { "FAIL" };
        let line = format!("parity {} {name} {text} {verdict}", self.fixture.case());
        println!("{line}");
        if !ok {
            self.failures.push(line);
        }
        self.done.insert(name.to_owned(), ok);
        ok
    }

    /// Declares that the output `name` is not compared, and why. Printed.
    pub fn waive(&mut self, name: &str, reason: &str) {
        match self.fixture.output(name) {
            Err(error) => self.failures.push(error.to_string()),
            Ok(_) => {
                println!("parity {} {name} waived: {reason}", self.fixture.case());
                self.done.insert(name.to_owned(), true);
            }
        }
    }

    fn finish(mut self) -> Vec<String> {
        for name in self.fixture.output_names() {
            if !self.done.contains_key(name) {
                let case = self.fixture.case();
                self.failures
                    .push(format!("parity {case} {name} was not checked FAIL"));
            }
        }
        self.failures
    }
}

/// `[mean, biased std, first 64 values]` of a tensor in f64, shape `[66]`: the form in which large
/// intermediate results are stored.
///
/// # Panics
///
/// Panics if the tensor has fewer than 64 elements.
pub fn checkpoint(data: &TensorData) -> TensorData {
    let values: Vec<f64> = data.iter::<f64>().collect();
    assert!(
        values.len() >= 64,
        "a checkpoint needs 64 values, got {}",
        values.len()
    );
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
    let mut summary = vec![mean, variance.sqrt()];
    summary.extend(&values[..64]);
    TensorData::new(summary, [66])
}

/// Largest difference, the bound at the element nearest to (or farthest past) its bound, and
/// whether all elements are inside.
fn compare(
    expected: &TensorData,
    actual: &TensorData,
    tolerance: Tolerance,
) -> Result<(f64, f64, bool), String> {
    if expected.shape() != actual.shape() {
        return Err(format!(
            "shape={:?} expected={:?}",
            actual.shape().as_slice(),
            expected.shape().as_slice()
        ));
    }
    let (mut largest, mut bound, mut excess, mut ok) = (0.0_f64, tolerance.atol, f64::MIN, true);
    for (index, (e, a)) in expected.iter::<f64>().zip(actual.iter::<f64>()).enumerate() {
        if e == a {
            continue;
        }
        if !e.is_finite() || !a.is_finite() {
            return Err(format!("element={index} value={a} expected={e}"));
        }
        let difference = (a - e).abs();
        let allowed = tolerance.atol + tolerance.rtol * e.abs();
        largest = largest.max(difference);
        ok &= difference <= allowed;
        if difference - allowed > excess {
            excess = difference - allowed;
            bound = allowed;
        }
    }
    Ok((largest, bound, ok))
}

fn safetensors_in(folder: &Path) -> Result<Vec<PathBuf>, FixtureError> {
    let read = |source| FixtureError::Read {
        path: folder.into(),
        source,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.extension().is_some_and(|e| e == "safetensors") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Tree;
    use crate::test_case::write_case;

    const Y: (&str, &[usize], &[f32]) = ("out.y", &[2], &[1.0, 2.0]);

    fn one_case(tensors: &[(&str, &[usize], &[f32])]) -> Parity {
        let tree = Tree::new(["crates/x/"]).unwrap();
        write_case(&tree, "crates/x/tests/parity", "c", tensors, |_| {});
        Parity::discover_in(&tree.join("crates/x"), "", &["demo"]).unwrap()
    }

    fn y(values: [f32; 2]) -> TensorData {
        TensorData::new(values.to_vec(), [2])
    }

    #[test]
    fn cases_come_from_the_crate_and_from_relative_and_absolute_folders() {
        let (tree, other) = (Tree::new(["crates/x/"]).unwrap(), Tree::new([]).unwrap());
        write_case(&tree, "crates/x/tests/parity", "own", &[Y], |_| {});
        write_case(&tree, "crates/x/tests/parity", "foreign", &[Y], |d| {
            d["component"] = json!("other");
        });
        write_case(&tree, "fixtures", "relative", &[Y], |_| {});
        write_case(&tree, "fixtures", "own", &[Y], |_| {});
        write_case(&other, ".", "absolute", &[Y], |_| {});
        let variable = format!("fixtures:{}", other.path().display());
        let parity = Parity::discover_in(&tree.join("crates/x"), &variable, &["demo"]).unwrap();
        let names: Vec<_> = parity.cases().iter().map(|c| c.case()).collect();
        assert_eq!(names, ["absolute", "own", "relative"]);
        assert!(
            parity.cases()[1]
                .path()
                .to_str()
                .unwrap()
                .contains("tests/parity")
        );

        let error = Parity::discover_in(&tree.join("crates/x"), "absent", &["demo"]).unwrap_err();
        assert!(matches!(error, FixtureError::Read { .. }), "{error}");
    }

    #[test]
    fn values_inside_the_tolerance_pass() {
        one_case(&[Y]).run(|case| {
            assert!(case.check("y", &y([1.009, 1.991])));
            Ok(())
        });
    }

    #[test]
    #[should_panic(expected = "parity c y max_abs=1.100e-2 atol=1.000e-2 FAIL")]
    fn values_outside_fail() {
        one_case(&[Y]).run(|case| {
            assert!(!case.check("y", &y([1.0, 2.011])));
            Ok(())
        });
    }

    #[test]
    #[should_panic(expected = "element=1 value=NaN expected=2 FAIL")]
    fn not_a_number_fails() {
        one_case(&[Y]).run(|case| {
            case.check("y", &y([1.0, f32::NAN]));
            Ok(())
        });
    }

    #[test]
    #[should_panic(expected = "shape=[2, 1] expected=[2] FAIL")]
    fn another_shape_fails() {
        one_case(&[Y]).run(|case| {
            case.check("y", &TensorData::new(vec![1.0_f32, 2.0], [2, 1]));
            Ok(())
        });
    }

    #[test]
    #[should_panic(expected = "parity c z was not checked FAIL")]
    fn an_output_nobody_checked_fails() {
        one_case(&[Y, ("out.z", &[1], &[0.0])]).run(|case| {
            case.check("y", &y([1.0, 2.0]));
            Ok(())
        });
    }

    #[test]
    fn an_output_may_be_waived_or_checked_exactly() {
        one_case(&[Y, ("out.z", &[1], &[3.0]), ("out.n", &[1], &[5.0])]).run(|case| {
            case.check("y", &y([1.0, 2.0]));
            case.waive("z", "a diagnostic of the reference");
            assert!(case.check("n", &TensorData::new(vec![5_i64], [1])));
            Ok(())
        });
    }

    #[test]
    #[should_panic(expected = "has no tensor `out.typo`")]
    fn a_misspelt_output_fails() {
        one_case(&[Y]).run(|case| {
            case.check("y", &y([1.0, 2.0]));
            case.check("typo", &y([1.0, 2.0]));
            Ok(())
        });
    }

    #[test]
    #[should_panic(expected = "c: case c has no tensor `in.x`")]
    fn an_error_fails_the_run() {
        one_case(&[Y]).run(|case| {
            case.check("y", &y([1.0, 2.0]));
            case.input("x")?;
            Ok(())
        });
    }

    #[test]
    fn relative_tolerance_scales_with_the_reference() {
        let expected = TensorData::new(vec![100.0_f64, 1.0], [2]);
        let tolerance = Tolerance {
            atol: 0.5,
            rtol: 0.01,
        };
        let inside = TensorData::new(vec![101.4_f64, 1.5], [2]);
        let (largest, _, ok) = compare(&expected, &inside, tolerance).unwrap();
        assert!(ok && (largest - 1.4).abs() < 1e-12);
        let outside = TensorData::new(vec![101.4_f64, 1.52], [2]);
        let (_, bound, ok) = compare(&expected, &outside, tolerance).unwrap();
        assert!(!ok);
        assert_eq!(bound, 0.5 + 0.01);
    }

    #[test]
    fn checkpoint_is_mean_deviation_and_head() {
        let data = TensorData::new((0..100).map(|v| v as f32).collect(), [4, 25]);
        let summary = checkpoint(&data).iter::<f64>().collect::<Vec<_>>();
        assert_eq!(summary.len(), 66);
        assert_eq!(summary[0], 49.5);
        // biased: sqrt((100^2 - 1) / 12)
        assert!((summary[1] - (9999.0_f64 / 12.0).sqrt()).abs() < 1e-12);
        assert_eq!((summary[2], summary[65]), (0.0, 63.0));
    }
}
