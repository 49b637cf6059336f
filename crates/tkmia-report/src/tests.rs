//! Reports on records that are worked by hand.

use tkmia_attacks::Passes;
use tkmia_experiment::{
    DataFacts, Experiment, FORMAT, Input, Inputs, Job, ManifestEntry, Plan, VictimFacts,
};

use super::*;
use crate::toy::toy;

const EXPERIMENT: &str = r#"
title = "By hand & <checked>"

[data]
kind = "voc-2012"

[[table]]
paper = 16
scheme = "random"
specified = [2]
k = [2, 3]
delta = 2
max-iterations = 100

[[method]]
name = "tkml-ap-u"
variant = "released"

[[method]]
name = "tkmia"
"#;

/// c = 6, Y_p = {0, 1, 2, 3, 4}, S = {0, 1}; the clean ranking is 0, 1, …, 5.
fn record(
    job: &Job,
    plan: &Plan,
    id: &str,
    perturbed: [f32; 6],
    norm: f64,
    success: bool,
) -> Record {
    Record {
        setting: plan.manifests[job.manifest].setting.clone(),
        method: job.run.to_string(),
        key: job.run.key(),
        id: id.to_owned(),
        relevant: vec![0, 1, 2, 3, 4],
        specified: vec![0, 1],
        clean_scores: vec![6.0, 5.0, 4.0, 3.0, 2.0, 1.0],
        scores: perturbed.to_vec(),
        iterations: if success { 3 } else { 100 },
        passes: Passes { forward: 4, backward: 2 },
        excluded: if success { 2 } else { 0 },
        ..toy("", 0, success, norm)
    }
}

pub(crate) fn plan() -> Plan {
    plan_of(EXPERIMENT)
}

fn plan_of(experiment: &str) -> Plan {
    let tables = Experiment::parse(experiment).unwrap().expand("VOC 2012").unwrap();
    let mut manifests = Vec::new();
    let mut jobs = Vec::new();
    for setting in &tables[0].settings {
        for grid in &tables[0].grids {
            jobs.push(Job { table: 0, manifest: manifests.len(), run: grid[0].clone() });
            manifests.push(ManifestEntry {
                file: String::new(),
                setting: setting.clone(),
                view: grid[0].view(),
                samples: 2,
                sha256: String::new(),
            });
        }
    }
    let inputs = Inputs {
        format: FORMAT,
        victim: VictimFacts { sha256: String::new(), description: "a network".to_owned() },
        data: DataFacts {
            name: "VOC 2012".to_owned(),
            images: 9,
            sha256: String::new(),
            classes: ["a", "b|c", "d_e", "<f>", "g", "h"].map(str::to_owned).to_vec(),
        },
        input: Input {
            resize: tkmia_experiment::ResizeKind::Square,
            side: 8,
            low: -1.0,
            high: 1.0,
        },
        seed: 0,
        samples: 2,
        pictures: 0,
        tables,
        tuning: None,
    };
    let title = "By hand & <checked>".to_owned();
    Plan { title, inputs, shard: None, manifests, trials: Vec::new(), jobs }
}

/// Half of the samples of the first two attacks succeed; of the third there is one record, of the last none.
pub(crate) fn records(plan: &Plan) -> Vec<Record> {
    let out = [0.0, 0.5, 4.0, 3.0, 2.0, 1.0];
    let same = [6.0, 5.0, 4.0, 3.0, 2.0, 1.0];
    // Label 5 is irrelevant.
    let bad = [0.0, 0.5, 4.0, 3.0, 2.0, 9.0];
    vec![
        record(&plan.jobs[0], plan, "one", bad, 2.0, true),
        record(&plan.jobs[0], plan, "two", same, 8.0, false),
        record(&plan.jobs[1], plan, "one", out, 1.0, true),
        record(&plan.jobs[1], plan, "two", out, 3.0, true),
        record(&plan.jobs[2], plan, "one", out, 0.5, true),
    ]
}

pub(crate) fn report() -> Report {
    let plan = plan();
    Report::new(&plan, &records(&plan)).unwrap()
}

#[test]
fn a_row_is_the_mean_of_its_records_beside_what_is_printed() {
    let report = report();
    assert_eq!(report.records, [5, 8]);
    let rows = &report.tables[0].rows;
    let named: Vec<_> = rows.iter().map(|row| (row.setting.k, row.label.as_str(), row.n)).collect();
    assert_eq!(
        named,
        [
            (2, "TkML-AP-U (released)", 2),
            (2, "TkMIA (corrected)", 2),
            (3, "TkML-AP-U (released)", 1),
            (3, "TkMIA (corrected)", 0)
        ]
    );
    let row = &rows[0];
    // The first sample's top-2 is {5, 2}: P@2 falls from 1 to 1/2, AP@2 from 1 to (1/2)/2, TkAcc from 1 to 0.
    let value = |column| row.value(column).unwrap();
    let changes = ["d_tkacc", "d_p_at_k", "d_map_at_k", "d_ndcg_at_k", "delta_l"];
    let values = changes.map(value);
    assert_eq!((values[0], values[1], values[2], values[4]), (0.5, 0.25, 0.375, 1.0));
    assert_eq!(
        changes.map(|column| row.cell(column).unwrap().printed),
        [0.5652, 0.3913, 0.4673, 0.4208, 1.5797].map(Some)
    );
    assert_eq!((value("success"), value("iterations")), (0.5, 51.5));
    // Over the success alone.
    let aper_tanh = |row: &Row| {
        let cell = row.cell("aper_tanh").unwrap();
        (cell.value, cell.printed)
    };
    assert_eq!(aper_tanh(row), (Some(2.0), Some(1.2688)));
    assert_eq!(value("aper_pixels"), 255.0);
    assert_eq!(row.successes_by_iteration, [(3, 0.5)]);
    let class = |class| ClassSuccess { class, samples: 2, left: 1 };
    assert_eq!(row.classes, [class(0), class(1)]);
    // The corrected form has no norm in tanh space, and the printed one is shown all the same.
    assert_eq!(aper_tanh(&rows[1]), (None, Some(1.4456)));
    assert_eq!(rows[3].value("d_tkacc"), None);
}

#[test]
fn suspect_rows_are_flagged_in_every_form() {
    let report = report();
    let table = &report.tables[0];
    let suspects = table.rows.iter().filter(|row| row.suspect().is_some());
    assert_eq!(
        suspects.map(|row| row.label.as_str()).collect::<Vec<_>>(),
        ["TkML-AP-U (released)"]
    );
    let markdown = table.markdown();
    assert!(
        markdown.contains("(1.4545†)") && markdown.contains("suspect as printed"),
        "{markdown}"
    );
    assert!(table.latex().contains("(1.4545$^\\dagger$)"));
    assert!(report.html(&[], 0).unwrap().contains("(1.4545†)"));
    let csv = table.csv();
    let flags: Vec<String> = ::csv::Reader::from_reader(csv.as_bytes())
        .into_records()
        .map(|row| row.unwrap()[13].to_owned())
        .collect();
    assert_eq!(flags, ["false", "false", "true", "false"]);
}

#[test]
fn every_form_escapes_what_means_something_there() {
    let report = report();
    let html = report.html(&[], 0).unwrap();
    assert!(html.contains("<h1>By hand &amp; &lt;checked&gt;</h1>"));
    assert!(html.contains("<td>b|c</td>") && !html.contains("<f>"));
    for forbidden in ["http://", "https://", "src=\"//", "@import", "url("] {
        assert!(!html.contains(forbidden), "the page needs no network: {forbidden}");
    }
    let markdown = report.markdown();
    assert!(markdown.contains("\\|S\\|"), "{markdown}");
    assert!(markdown.contains("Unfinished: 5 of 8 records are there."), "{markdown}");
    let header = markdown.lines().find(|line| line.contains("ΔTkAcc")).unwrap();
    let bars = |line: &str| line.replace("\\|", "").matches('|').count();
    let rows = markdown.lines().filter(|line| line.starts_with('|'));
    assert!(rows.into_iter().all(|line| bars(line) == bars(header)), "{markdown}");
    let latex = report.tables[0].latex();
    let columns = latex.lines().find(|line| line.starts_with("\\begin{tabular}")).unwrap();
    let columns = columns.rsplit('{').next().unwrap().trim_end_matches('}').len();
    for line in latex.lines().filter(|line| line.contains(" & ")) {
        assert_eq!(line.matches(" & ").count() + 1, columns, "{line}");
    }
}

#[test]
fn curves_and_classes_are_written_as_tables() {
    let report = report();
    let lines = |text: String| text.lines().count();
    assert_eq!(lines(report.iterations_csv()), 1 + 3);
    let classes = report.classes_csv();
    assert_eq!(lines(classes.clone()), 1 + 2 * 3);
    assert!(classes.contains(",b|c,2,1\n"), "{classes}");
}

#[test]
fn records_that_do_not_fit_are_an_error() {
    let plan = plan();
    let mut records = records(&plan);
    records[0].relevant = vec![6];
    assert!(matches!(Report::new(&plan, &records), Err(ReportError::Metrics(_))));
}

#[test]
fn the_minimum_norm_form_stands_beside_the_best_other_attack() {
    let text = EXPERIMENT.replace("name = \"tkmia\"", "name = \"tkmia\"\nvariant = \"min-norm\"");
    let plan = plan_of(&text);
    let report = Report::new(&plan, &records(&plan)).unwrap();
    let rows = &report.tables[0].rows;
    // On the first sample both succeeded, with norms 1 and 2; the other attack failed on the second.
    let rival = Rival { row: 0, both: 1, norm_ratio: Some(0.5) };
    assert_eq!(rows[1].rival, Some(rival));
    assert!(rows[0].rival.is_none() && rows[2].rival.is_none());
    assert_eq!(rows[3].rival, Some(Rival { row: 2, both: 0, norm_ratio: None }));
    // The best norms are 1 and 3: A* = 2, and A = (2 + 3)/2 for the other.
    let optimality = |row: &Row| row.value("local_optimality");
    assert_eq!((optimality(&rows[0]), optimality(&rows[1])), (Some(0.5), Some(1.0)));
    let markdown = report.markdown();
    assert!(markdown.contains("TkMIA (min-norm): 0.500 over 1 settings"), "{markdown}");
    assert!(markdown.contains("1.000 / 0.500") && markdown.contains("local optimality"));
    assert!(!self::report().markdown().contains("local optimality"));
    let html = report.html(&[], 0).unwrap();
    assert!(html.contains("Success by norm") && html.contains("ΔmAP@k by norm"));
    let norms = report.norms_csv();
    // A line for each of the four successes; within norm 3 both of the second row's samples have changed nothing.
    assert_eq!(norms.lines().count(), 1 + 4);
    assert!(norms.lines().any(|line| line.ends_with(",2,3,1,0,0,0")), "{norms}");
}
