//! Which builds show that every crate stands alone, and every feature without the others.

use crate::workspace::Package;

/// Features that need a GPU stack or, `cpu`, CubeCL's compiler: minutes to build, seldom installed.
const HEAVY: [&str; 4] = ["cpu", "cuda", "vulkan", "wgpu"];

/// A crate built by itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LoneBuild<'a> {
    package: &'a str,
    feature: Option<&'a str>,
}

impl LoneBuild<'_> {
    /// Arguments of cargo.
    pub(crate) fn arguments(&self) -> Vec<&str> {
        let mut arguments = vec![
            "check",
            "--release",
            "-p",
            self.package,
            "--no-default-features",
        ];
        if let Some(feature) = self.feature {
            arguments.extend(["--features", feature]);
        }
        arguments
    }
}

/// Each package without features, and with each of its features; the heavy ones only for `gpu`, and none that is
/// private by its underscore.
pub(crate) fn lone_builds(packages: &[Package], gpu: bool) -> Vec<LoneBuild<'_>> {
    let mut builds = Vec::new();
    for package in packages {
        let features = package
            .features
            .keys()
            .map(String::as_str)
            .filter(|feature| *feature != "default" && !feature.starts_with('_'))
            .filter(|feature| gpu || !HEAVY.contains(feature));
        for feature in std::iter::once(None).chain(features.map(Some)) {
            builds.push(LoneBuild {
                package: &package.name,
                feature,
            });
        }
    }
    builds
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::workspace::parse;

    #[test]
    fn each_feature_is_built_alone_and_heavy_ones_on_request() {
        let packages = parse(&json!({ "packages": [
            { "name": "fas-data", "features": {}, "dependencies": [] },
            {
                "name": "fas-kernels",
                "features": { "default": ["flex"], "flex": [], "_shared": [], "wgpu": [] },
                "dependencies": [],
            },
        ]}))
        .unwrap();
        let list = |gpu| -> Vec<String> {
            let builds = lone_builds(&packages, gpu);
            builds
                .iter()
                .map(|build| build.arguments().join(" "))
                .collect()
        };
        let light = [
            "check --release -p fas-data --no-default-features",
            "check --release -p fas-kernels --no-default-features",
            "check --release -p fas-kernels --no-default-features --features flex",
        ];
        assert_eq!(list(false), light);
        let wgpu = "check --release -p fas-kernels --no-default-features --features wgpu";
        assert_eq!(list(true), [&light[..], &[wgpu]].concat());
    }
}
