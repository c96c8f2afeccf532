//! Opens the demo page in headless Chromium: nothing on the console, nothing fetched, nothing cut off.
//!
//! Without `chromium` on the `PATH` the browser tests are skipped, unless `CI=true`.

#[path = "../examples/demo_report/demo.rs"]
mod demo;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fas_report::ReportError;

/// What the browser made of a page.
struct Visit {
    /// The document after loading.
    dom: String,
    /// Console messages of any level, and script errors.
    console: Vec<String>,
}

/// Opens a page; `None` when there is no browser. `dark` is the reader's colour scheme.
fn visit(page: &Path, dark: bool) -> Option<Visit> {
    let folder = tempfile::tempdir().unwrap();
    let (out, log) = (folder.path().join("dom"), folder.path().join("log"));
    let spawned = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .args([
            "--allow-file-access-from-files",
            "--hide-scrollbars",
            "--window-size=1280,900",
        ])
        .args(["--enable-logging=stderr", "--v=0", "--dump-dom"])
        .arg(format!(
            "--blink-settings=preferredColorScheme={}",
            if dark { 0 } else { 1 }
        ))
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .stdout(File::create(&out).unwrap())
        .stderr(File::create(&log).unwrap())
        .spawn();
    let mut browser = match spawned {
        Ok(browser) => browser,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            assert_ne!(
                std::env::var("CI").as_deref(),
                Ok("true"),
                "chromium must be installed on CI"
            );
            println!("skipped: install chromium");
            return None;
        }
        Err(error) => panic!("starting chromium: {error}"),
    };
    let deadline = Instant::now() + Duration::from_secs(300);
    let status = loop {
        if let Some(status) = browser.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            browser.kill().unwrap();
            browser.wait().unwrap();
            panic!("chromium did not finish; it said: {}", read(&log));
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let log = read(&log);
    assert!(status.success(), "chromium failed: {log}");
    let console = log
        .lines()
        .filter(|line| line.contains(":CONSOLE"))
        .map(str::to_owned)
        .collect();
    Some(Visit {
        dom: read(&out),
        console,
    })
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
}

fn demo_page(folder: &Path) -> PathBuf {
    let path = folder.join("report.html");
    demo::demo_report().unwrap().write(&path).unwrap();
    path
}

#[test]
fn page_opens_without_a_console_message() {
    let folder = tempfile::tempdir().unwrap();
    let Some(visit) = visit(&demo_page(folder.path()), false) else {
        return;
    };
    assert!(visit.console.is_empty(), "{:#?}", visit.console);
    assert_eq!(visit.dom.matches("<svg").count(), 9);
    assert_eq!(visit.dom.matches("<img").count(), 20);
    assert!(visit.dom.contains("Leave sim-C out"));
}

/// Frames a phone and a desktop wide, and a script that writes down what it finds in them.
const PROBE: &str = r##"<!DOCTYPE html><title>probe</title>
<iframe src="report.html" width="390" height="844" style="border:0"></iframe>
<iframe src="report.html" width="1280" height="900" style="border:0"></iframe>
<pre></pre>
<script>
onload = () => {
  for (const frame of document.querySelectorAll('iframe')) {
    const page = frame.contentDocument;
    const style = (selector) => frame.contentWindow.getComputedStyle(page.querySelector(selector) ?? page.body);
    const images = [...page.images];
    document.querySelector('pre').textContent += [
      'width', frame.width,
      'overflow', page.documentElement.scrollWidth - frame.width,
      'broken', images.filter((image) => !image.complete || image.naturalWidth === 0).length,
      'smallest', Math.min(...images.map((image) => Math.round(image.getBoundingClientRect().width))),
      'crisp', style('img').imageRendering,
      'page', style('body').backgroundColor,
      'curve', style('polyline[stroke="#0B63B8"]').stroke,
    ].join(' ') + '\n';
  }
};
</script>
"##;

/// Opens `report.html` of the folder in both widths; the lines the probe wrote.
fn probe(folder: &Path, dark: bool) -> Option<String> {
    let path = folder.join("probe.html");
    fs::write(&path, PROBE).unwrap();
    let visit = visit(&path, dark)?;
    assert!(visit.console.is_empty(), "{:#?}", visit.console);
    let lines = visit
        .dom
        .split("<pre>")
        .nth(1)
        .and_then(|rest| rest.split("</pre>").next());
    Some(
        lines
            .unwrap_or_else(|| panic!("the probe did not run: {}", visit.dom))
            .to_owned(),
    )
}

#[test]
fn page_fits_phone_and_desktop_in_light_and_dark() {
    let folder = tempfile::tempdir().unwrap();
    demo_page(folder.path());
    for (dark, colors) in [
        (false, "page rgb(244, 246, 248) curve rgb(11, 99, 184)"),
        (true, "page rgb(13, 17, 23) curve rgb(94, 177, 255)"),
    ] {
        let Some(found) = probe(folder.path(), dark) else {
            return;
        };
        for (width, image) in [(390, 72), (1280, 168)] {
            let expected = format!(
                "width {width} overflow 0 broken 0 smallest {image} crisp pixelated {colors}\n"
            );
            assert!(
                found.contains(&expected),
                "dark = {dark}: expected {expected}found {found}"
            );
        }
    }
}

/// The tests above are worth something only if faults do show. A file that fails to load leaves no trace in the
/// log of a headless browser; the page's content security policy turns every attempt to load one into a message.
#[test]
fn faults_of_a_page_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = demo_page(folder.path());
    let page = read(&path);
    let write =
        |body: &str| fs::write(&path, page.replace("<main>", &format!("<main>{body}"))).unwrap();
    for body in [
        "<img src='missing.png'>",
        "<link rel='stylesheet' href='missing.css'>",
        "<img src='https://example.invalid/x.png'>",
        "<script>nowhere()</script>",
    ] {
        write(body);
        let Some(visit) = visit(&path, false) else {
            return;
        };
        assert_eq!(visit.console.len(), 1, "{body}: {:#?}", visit.console);
    }
    write("<img src='data:image/png;base64,AAAA'><div style='width:2000px'>wide</div>");
    let Some(found) = probe(folder.path(), false) else {
        return;
    };
    assert!(
        found.contains("width 390 overflow 1624 broken 1 "),
        "{found}"
    );
}

#[test]
fn page_is_self_contained() {
    let page = demo::demo_report().unwrap().to_html().unwrap();
    for attribute in [
        "src=\"",
        "href=\"",
        "url(",
        "srcset=\"",
        "data=\"",
        "action=\"",
    ] {
        for value in page.split(attribute).skip(1) {
            let value = &value[..value.len().min(30)];
            assert!(
                value.starts_with("data:") || value.starts_with('#'),
                "{attribute}{value}"
            );
        }
    }
    let lower = page.to_lowercase();
    assert!(!lower.contains("<script") && !lower.contains("@import") && !lower.contains("<base"));
    let addresses = lower.matches("http://").count() + lower.matches("https://").count();
    assert_eq!(
        addresses,
        lower
            .matches("xmlns=\"http://www.w3.org/2000/svg\"")
            .count()
    );
}

#[test]
fn page_has_what_a_screen_reader_needs() {
    let page = demo::demo_report().unwrap().to_html().unwrap();
    assert!(page.contains("<html lang=\"en\">") && page.contains("<main>"));
    for (element, needed) in [
        ("<img ", "alt=\""),
        ("<svg ", "role=\"img\" aria-label=\""),
        ("<th", "scope=\""),
    ] {
        for tag in page
            .split(element)
            .skip(1)
            .filter(|rest| !rest.starts_with("ead"))
        {
            let tag = &tag[..tag.find('>').unwrap()];
            assert!(tag.contains(needed), "{element}{tag}");
            assert!(!tag.contains("alt=\"\""), "{element}{tag}");
        }
    }
    assert_eq!(page.matches("<caption>").count(), 3);
    assert_eq!(
        page.matches("<figcaption>").count(),
        page.matches("<figure").count()
    );
}

#[test]
fn the_same_data_gives_the_same_page() -> Result<(), ReportError> {
    assert_eq!(
        demo::demo_report()?.to_html()?,
        demo::demo_report()?.to_html()?
    );
    Ok(())
}
