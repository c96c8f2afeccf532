//! Which of our crates may import which; DESIGN.md says why.
//!
//! ```text
//! compose   examples  benches  fas-cli
//! jobs      fas-jobs
//! show      fas-report
//! methods   fas-dfg -> fas-diffusion      fas-agnet -> fas-classify
//! parts     fas-diffusion  fas-classify  fas-mtcnn  fas-quality  fas-sim
//! ground    fas-align  fas-data  fas-metrics  fas-kernels  fas-weights
//! ```
//!
//! Imports point to lower layers only. A method imports the one part drawn beside it. Models import
//! `fas-data` under the feature `train` alone, and only models and what composes them import
//! `fas-weights`. `fas-testkit` is a dev-dependency of anyone, and dev-dependencies are free.

use std::fmt;

use crate::workspace::{Dependency, Package};

/// Layers from the lowest to the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Ground,
    Part,
    Method,
    Show,
    Job,
    Compose,
    /// Beside the layers: imports nothing of ours.
    Outside,
}

const LAYERS: [(&str, Layer); 19] = [
    ("fas-align", Layer::Ground),
    ("fas-data", Layer::Ground),
    ("fas-metrics", Layer::Ground),
    ("fas-kernels", Layer::Ground),
    ("fas-weights", Layer::Ground),
    ("fas-diffusion", Layer::Part),
    ("fas-classify", Layer::Part),
    ("fas-mtcnn", Layer::Part),
    ("fas-quality", Layer::Part),
    ("fas-sim", Layer::Part),
    ("fas-dfg", Layer::Method),
    ("fas-agnet", Layer::Method),
    ("fas-report", Layer::Show),
    ("fas-jobs", Layer::Job),
    ("fas-cli", Layer::Compose),
    ("fas-examples", Layer::Compose),
    ("fas-benches", Layer::Compose),
    (TESTKIT, Layer::Outside),
    ("xtask", Layer::Outside),
];
const METHOD_PARTS: [(&str, &str); 2] =
    [("fas-dfg", "fas-diffusion"), ("fas-agnet", "fas-classify")];
const MODELS: [&str; 5] = [
    "fas-diffusion",
    "fas-classify",
    "fas-mtcnn",
    "fas-dfg",
    "fas-agnet",
];
const TESTKIT: &str = "fas-testkit";

/// An import that the layers do not allow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    from: String,
    to: String,
    rule: Rule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    NoLayer,
    PointsDown,
    OneMethodOnePart,
    TestkitInTests,
    DataUnderTrain,
    WeightsForModels,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remedy = match self.rule {
            Rule::NoLayer => "a crate without a layer; give it one in xtask/src/layers.rs",
            Rule::PointsDown => "imports point to lower layers only",
            Rule::OneMethodOnePart => "a method imports no part but its own",
            Rule::TestkitInTests => "test support is for [dev-dependencies]",
            Rule::DataUnderTrain => {
                "a model sees data in training only: make it optional, enabled by `train` alone"
            }
            Rule::WeightsForModels => "only models store weights",
        };
        write!(f, "{} -> {}: {remedy}", self.from, self.to)
    }
}

/// All imports among `packages` that the layers do not allow.
pub(crate) fn violations(packages: &[Package]) -> Vec<Violation> {
    let ours = |name: &str| packages.iter().any(|package| package.name == name);
    let mut violations = Vec::new();
    for package in packages {
        if layer(&package.name).is_none() {
            violations.push(violation(package, &package.name, Rule::NoLayer));
        }
        for dependency in &package.dependencies {
            if dependency.dev || !ours(&dependency.name) {
                continue;
            }
            if let Some(rule) = broken_rule(package, dependency) {
                violations.push(violation(package, &dependency.name, rule));
            }
        }
    }
    violations
}

fn broken_rule(package: &Package, dependency: &Dependency) -> Option<Rule> {
    let (from, to) = (package.name.as_str(), dependency.name.as_str());
    if to == TESTKIT {
        return Some(Rule::TestkitInTests);
    }
    // A crate without a layer is reported once, by its own name.
    let (from_layer, to_layer) = (layer(from)?, layer(to)?);
    if from_layer == Layer::Outside || to_layer >= from_layer {
        return Some(Rule::PointsDown);
    }
    if from_layer == Layer::Method && to_layer == Layer::Part && !METHOD_PARTS.contains(&(from, to))
    {
        return Some(Rule::OneMethodOnePart);
    }
    let model = MODELS.contains(&from);
    if model && to == "fas-data" && !under_train(package, dependency) {
        return Some(Rule::DataUnderTrain);
    }
    if to == "fas-weights" && !model && from_layer < Layer::Job {
        return Some(Rule::WeightsForModels);
    }
    None
}

/// Whether `train` is the only feature that brings `dependency` in.
fn under_train(package: &Package, dependency: &Dependency) -> bool {
    let key = &dependency.key;
    let brings_in = |item: &String| {
        item == key || *item == format!("dep:{key}") || item.starts_with(&format!("{key}/"))
    };
    dependency.optional
        && package
            .features
            .iter()
            .filter(|(_, items)| items.iter().any(brings_in))
            .all(|(feature, _)| feature == "train")
}

fn layer(name: &str) -> Option<Layer> {
    LAYERS
        .iter()
        .find(|(listed, _)| *listed == name)
        .map(|(_, layer)| *layer)
}

fn violation(from: &Package, to: &str, rule: Rule) -> Violation {
    Violation {
        from: from.name.clone(),
        to: to.to_owned(),
        rule,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::workspace::parse;

    const ALL: [&str; 19] = {
        let mut names = [""; 19];
        let mut at = 0;
        while at < names.len() {
            names[at] = LAYERS[at].0;
            at += 1;
        }
        names
    };

    /// Messages for a workspace of every crate, in which `from` has the one dependency `edge`.
    fn check(from: &str, edge: Value, features: Value) -> Vec<String> {
        let packages: Vec<Value> = ALL
            .iter()
            .map(|name| {
                if *name == from {
                    json!({ "name": name, "features": features, "dependencies": [edge] })
                } else {
                    json!({ "name": name, "features": {}, "dependencies": [] })
                }
            })
            .collect();
        let packages = parse(&json!({ "packages": packages })).unwrap();
        violations(&packages)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn normal(to: &str) -> Value {
        json!({ "name": to, "rename": null, "kind": null, "optional": false })
    }

    fn of_kind(to: &str, kind: &str) -> Value {
        json!({ "name": to, "rename": null, "kind": kind, "optional": false })
    }

    /// What `from` may import without any condition, out of all crates.
    fn free_imports(from: &str) -> Vec<&'static str> {
        ALL.into_iter()
            .filter(|to| *to != from && check(from, normal(to), json!({})).is_empty())
            .collect()
    }

    #[test]
    fn ground_and_outside_import_nothing() {
        for from in [
            "fas-align",
            "fas-data",
            "fas-metrics",
            "fas-kernels",
            "fas-weights",
            "fas-testkit",
            "xtask",
        ] {
            assert_eq!(free_imports(from), [""; 0], "{from}");
        }
    }

    #[test]
    fn parts_import_ground_and_never_each_other() {
        for from in ["fas-quality", "fas-sim"] {
            assert_eq!(
                free_imports(from),
                ["fas-align", "fas-data", "fas-metrics", "fas-kernels"],
                "{from}"
            );
        }
        for from in ["fas-diffusion", "fas-classify", "fas-mtcnn"] {
            let expected = ["fas-align", "fas-metrics", "fas-kernels", "fas-weights"];
            assert_eq!(free_imports(from), expected, "{from}");
        }
    }

    #[test]
    fn methods_import_their_one_part() {
        let ground = ["fas-align", "fas-metrics", "fas-kernels", "fas-weights"];
        assert_eq!(
            free_imports("fas-dfg"),
            [&ground[..], &["fas-diffusion"]].concat()
        );
        assert_eq!(
            free_imports("fas-agnet"),
            [&ground[..], &["fas-classify"]].concat()
        );
    }

    #[test]
    fn compose_imports_all_below_but_not_its_neighbours() {
        let below = &ALL[..14];
        for from in ["fas-cli", "fas-examples", "fas-benches"] {
            assert_eq!(free_imports(from), below, "{from}");
        }
    }

    #[test]
    fn a_refused_edge_is_named_with_its_rule() {
        let messages = check("fas-diffusion", normal("fas-quality"), json!({}));
        assert_eq!(
            messages,
            ["fas-diffusion -> fas-quality: imports point to lower layers only"]
        );
        let messages = check("fas-agnet", normal("fas-diffusion"), json!({}));
        assert_eq!(
            messages,
            ["fas-agnet -> fas-diffusion: a method imports no part but its own"]
        );
        let messages = check("fas-sim", normal("fas-weights"), json!({}));
        assert_eq!(
            messages,
            ["fas-sim -> fas-weights: only models store weights"]
        );
    }

    #[test]
    fn build_dependencies_follow_the_layers_and_dev_dependencies_are_free() {
        assert_eq!(
            check("fas-data", of_kind("fas-sim", "build"), json!({})).len(),
            1
        );
        assert!(check("fas-data", of_kind("fas-sim", "dev"), json!({})).is_empty());
    }

    #[test]
    fn testkit_is_a_dev_dependency_only() {
        assert!(check("fas-classify", of_kind("fas-testkit", "dev"), json!({})).is_empty());
        let messages = check("fas-cli", normal("fas-testkit"), json!({}));
        assert_eq!(
            messages,
            ["fas-cli -> fas-testkit: test support is for [dev-dependencies]"]
        );
    }

    #[test]
    fn models_see_data_under_train_alone() {
        let optional = |rename: Value| json!({ "name": "fas-data", "rename": rename, "kind": null, "optional": true });
        let plain = optional(Value::Null);
        assert_eq!(check("fas-dfg", normal("fas-data"), json!({})).len(), 1);
        assert!(
            check(
                "fas-dfg",
                plain.clone(),
                json!({ "train": ["dep:fas-data"] })
            )
            .is_empty()
        );
        // cargo's implicit feature of an optional dependency
        let implicit = json!({ "fas-data": ["dep:fas-data"] });
        assert_eq!(check("fas-dfg", plain.clone(), implicit).len(), 1);
        let also = json!({ "train": ["dep:fas-data"], "flex": ["fas-data/flex"] });
        assert_eq!(check("fas-dfg", plain.clone(), also).len(), 1);
        let weak = json!({ "train": ["dep:fas-data"], "flex": ["fas-data?/flex"] });
        assert!(check("fas-dfg", plain, weak).is_empty());
        let renamed = json!({ "train": ["dep:data"], "extra": ["dep:data"] });
        assert_eq!(check("fas-dfg", optional(json!("data")), renamed).len(), 1);
    }

    #[test]
    fn a_crate_without_a_layer_is_named() {
        let metadata = json!({ "packages": [
            { "name": "fas-new", "features": {}, "dependencies": [] },
        ]});
        let found = violations(&parse(&metadata).unwrap());
        let [found] = &found[..] else {
            panic!("{found:?}")
        };
        assert!(
            found
                .to_string()
                .starts_with("fas-new -> fas-new: a crate without a layer")
        );
    }

    #[test]
    fn crates_of_others_are_not_judged() {
        assert!(check("fas-data", normal("image"), json!({})).is_empty());
    }

    #[test]
    fn this_workspace_follows_its_layers() {
        let found = violations(&crate::workspace::packages().unwrap());
        assert!(found.is_empty(), "{found:#?}");
    }
}
