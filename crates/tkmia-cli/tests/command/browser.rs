//! The pages of a report and of an audit in headless Chromium. Run with `--ignored`, where chromedriver is on the PATH; the
//! audit's needs the environment variable `TKMIA_AXE`, the path of Deque's `axe.min.js`.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::shell;
use crate::webdriver::{Browser, Element};

const EXPERIMENT: &str = r#"
title = "Clicked through & <looked at>"
output = "out"
seed = 7
pictures = 1

[victim]
model = "MODEL"

[data]
kind = "voc-2012"
root = "ROOT"
split = "val"

[budget]
samples = 6

[[table]]
scheme = "global"
types = ["Person", "Animals"]
k = [1, 2]
max-iterations = 30

[[table]]
scheme = "random"
specified = [2]
k = [2, 3]
max-iterations = 30

[[method]]
name = "tkml-ap-u"
variant = "released"
lr = 1e-2

[[method]]
name = "tkmia"
variant = "released"
lr = 1e-2
"#;

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// The numbers of a table's column from top to bottom, where cells have one.
fn column(browser: &Browser, table: &Element, at: usize) -> Vec<f64> {
    let body = format!(
        "return [...arguments[0].tBodies[0].rows].map(row => row.cells[{at}].dataset.value ?? null);"
    );
    let cells = browser.script(&body, &[table]);
    let number = |cell: &Value| cell.as_str().map(|text| text.parse().unwrap());
    cells.as_array().unwrap().iter().filter_map(number).collect()
}

fn clip(browser: &Browser, figure: &Element) -> String {
    let body = "return getComputedStyle(arguments[0].querySelector('.over')).clipPath;";
    browser.script(body, &[figure]).as_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs chromedriver"]
fn the_report_is_clicked_through_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    shell::write_experiment(folder.path(), EXPERIMENT);
    let output = folder.path().join("out");
    let mut command = shell::tkmia();
    command.arg("run").arg(folder.path().join("experiment.toml")).arg("--output").arg(&output);
    shell::run(&mut command);

    let browser = Browser::start();
    browser.open(&output.join("report/index.html"));
    assert_eq!(browser.script("return document.title;", &[]), "Clicked through & <looked at>");
    tables_sort(&browser);
    parts_unfold(&browser);
    pictures_are_there(&browser);
    the_slider_moves(&browser);
    let screenshot = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report.png");
    fs::write(&screenshot, browser.screenshot()).unwrap();
    println!("screenshot: {}", screenshot.display());
    nothing_is_fetched(&browser);
}

/// By a click, the other way round by another, and by the keyboard.
fn tables_sort(browser: &Browser) {
    let table = browser.find("#table-a table");
    let headings = "return [...arguments[0].querySelectorAll('th')].map(th => th.textContent);";
    let headings = browser.script(headings, &[&table]);
    let is_norm = |heading: &&str| *heading == "APer\u{a0}↓ (input)";
    let at = strings(&headings).iter().position(is_norm).unwrap();
    let heading = browser.find(&format!("#table-a th:nth-child({})", at + 1));
    let before = column(browser, &table, at);
    let mut ascending = before.clone();
    ascending.sort_by(f64::total_cmp);
    let descending: Vec<f64> = ascending.iter().rev().copied().collect();
    assert_eq!(before.len(), 2 * 2 * 2);
    assert!(before != ascending && before != descending, "it would show nothing: {before:?}");
    browser.click(&heading);
    assert_eq!(column(browser, &table, at), ascending);
    browser.click(&heading);
    assert_eq!(column(browser, &table, at), descending);
    browser.press(&heading, "\u{e007}"); // Enter
    assert_eq!(column(browser, &table, at), ascending);
    let direction = browser.script("return arguments[0].getAttribute('aria-sort');", &[&heading]);
    assert_eq!(direction, "ascending");

    browser.click(&browser.find("#table-a th:nth-child(3)"));
    let names =
        "return [...arguments[0].tBodies[0].rows].map(row => row.cells[2].textContent).sort();";
    let sorted = browser.script(names, &[&table]);
    let shown = browser.script(&names.replace(".sort()", ""), &[&table]);
    let count = |name: &str| strings(&shown).iter().filter(|shown| **shown == name).count();
    assert_eq!([count("TkMIA"), count("TkML-AP-U")], [4, 4]);
    assert_eq!(sorted.as_array().unwrap().len(), shown.as_array().unwrap().len());
    let together = strings(&shown).windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!(together, 1, "each method's rows lie together: {shown}");
}

fn parts_unfold(browser: &Browser) {
    let classes = browser.find("#table-a details:last-of-type");
    let visible = "return arguments[0].querySelector('table').checkVisibility();";
    assert_eq!(browser.script(visible, &[&classes]), false);
    browser.click(&browser.find("#table-a details:last-of-type summary"));
    assert_eq!(browser.script(visible, &[&classes]), true);
}

/// The contents lead to them.
fn pictures_are_there(browser: &Browser) {
    browser.click(&browser.find("nav a[href='#images']"));
    assert_eq!(browser.script("return location.hash;", &[]), "#images");
    let widths = "return [...document.images].map(image => image.complete && image.naturalWidth);";
    let widths = browser.script(widths, &[]);
    let widths = widths.as_array().unwrap();
    assert_eq!(widths.len(), 6 * 2 * 3, "six settings, two methods, three images each");
    assert!(widths.iter().all(|width| *width == 32), "{widths:?}");
}

/// From the original to the perturbed image.
fn the_slider_moves(browser: &Browser) {
    let (figure, pair) = (browser.find("figure"), browser.find("figure .pair"));
    let slider = browser.find("figure input");
    assert_eq!(clip(browser, &figure), "inset(0px 50% 0px 0px)");
    browser.press(&slider, "\u{e011}"); // Home
    assert_eq!(clip(browser, &figure), "inset(0px 100% 0px 0px)");
    let original = browser.picture(&pair);
    browser.press(&slider, "\u{e010}"); // End
    assert_eq!(clip(browser, &figure), "inset(0px 0% 0px 0px)");
    assert_ne!(original, browser.picture(&pair));
    browser.press(&slider, &"\u{e012}".repeat(40)); // to the left
    assert_eq!(clip(browser, &figure), "inset(0px 40% 0px 0px)");
}

/// But the page itself; and the page forbids it to itself.
fn nothing_is_fetched(browser: &Browser) {
    let entries = browser.log("performance");
    let message = |entry: &Value| -> Value {
        serde_json::from_str::<Value>(entry["message"].as_str().unwrap()).unwrap()["message"]
            .clone()
    };
    let is_page = |url: &str| url.starts_with("file://") && url.contains("/report/index.html");
    // The browser's own start page loads its parts from within the browser.
    let requests: Vec<String> = entries
        .iter()
        .map(message)
        .filter(|message| message["method"] == "Network.requestWillBeSent")
        .map(|message| message["params"].clone())
        .filter(|params| is_page(params["documentURL"].as_str().unwrap()))
        .map(|params| params["request"]["url"].as_str().unwrap().to_owned())
        .collect();
    assert!(requests.iter().any(|url| is_page(url)), "the log is that of the network");
    let outside = |url: &&String| !url.starts_with("data:image/png;base64,") && !is_page(url);
    assert_eq!(requests.iter().find(outside), None);
    assert_eq!(browser.log("browser"), Vec::<Value>::new());

    browser.script(
        "window.refused = []; \
         addEventListener('securitypolicyviolation', event => refused.push(event.effectiveDirective)); \
         fetch('http://127.0.0.1:9/').catch(() => {}); \
         new Image().src = 'http://127.0.0.1:9/a.png';",
        &[],
    );
    let mut refused = browser.script("return refused.sort();", &[]);
    for _ in 0..50 {
        if refused.as_array().unwrap().len() == 2 {
            break;
        }
        sleep(Duration::from_millis(100));
        refused = browser.script("return refused.sort();", &[]);
    }
    assert_eq!(strings(&refused), ["connect-src", "img-src"]);
}

/// On a phone's width too, and without a serious finding of axe's rules of accessibility.
#[test]
#[ignore = "needs chromedriver and axe"]
fn an_audit_is_read_in_a_browser() {
    let axe = std::env::var("TKMIA_AXE").expect("TKMIA_AXE is the path of axe.min.js");
    let axe = fs::read_to_string(axe).unwrap();
    let output = tempfile::tempdir().unwrap();
    let mut command = shell::tkmia();
    let model = shell::repository("assets/efficientnet-lite0/efficientnet-lite0.onnx");
    command.arg("audit").arg(model).arg("--images").arg(shell::repository("assets/photographs"));
    command.args(["--k", "1", "--minutes", "0.2", "--output"]).arg(output.path());
    shell::run(&mut command);

    let browser = Browser::start();
    browser.open(&output.path().join("audit.html"));
    for width in [1200, 500] {
        browser.resize(width);
        let beyond = "return document.documentElement.scrollWidth - innerWidth;";
        assert!(browser.script(beyond, &[]).as_i64().unwrap() <= 0, "{width} pixels suffice");
        let run = format!(
            "{axe}; return axe.run().then(found => found.violations\
             .filter(each => ['serious', 'critical'].includes(each.impact))\
             .map(each => each.id + ': ' + each.nodes.map(node => node.html).join(' ')));"
        );
        assert_eq!(browser.script(&run, &[]), Value::Array(Vec::new()), "at {width} pixels");
    }
    let widths = "return [...document.images].map(image => image.complete && image.naturalWidth);";
    let widths = browser.script(widths, &[]);
    let widths = widths.as_array().unwrap();
    assert!(!widths.is_empty() && widths.iter().all(|width| *width == 224), "{widths:?}");
    assert_eq!(browser.log("browser"), Vec::<Value>::new());
}
