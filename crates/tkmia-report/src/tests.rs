//! Reports on records that are worked by hand.

use tkmia_attacks::{Indicator, Passes};
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
            let entry = ManifestEntry {
                lost: vec!["2008|2".to_owned()],
                undecodable: vec!["2008_3".to_owned()],
                file: String::new(),
                setting: setting.clone(),
                view: grid[0].view(),
                samples: 2,
                sha256: String::new(),
            };
            let place = manifests.iter().position(|other| *other == entry);
            let manifest = place.unwrap_or(manifests.len());
            if place.is_none() {
                manifests.push(entry);
            }
            jobs.push(Job { table: 0, manifest, run: grid[0].clone() });
        }
    }
    let inputs = Inputs {
        format: FORMAT,
        victim: VictimFacts { description: "a network".to_owned(), ..VictimFacts::default() },
        data: DataFacts {
            name: "VOC 2012".to_owned(),
            split: "val".to_owned(),
            images: 9,
            sha256: String::new(),
            classes: ["a", "b|c", "d_e", "<f>", "g", "h"].map(str::to_owned).to_vec(),
        },
        input: Input {
            resize: tkmia_core::Fit::Square,
            side: 8,
            low: -1.0,
            high: 1.0,
            tagger: tkmia_core::Tagger::default(),
        },
        seed: 0,
        draws: 1,
        samples: 2,
        pictures: 0,
        tables,
        tuning: None,
        fit: None,
    };
    let title = "By hand & <checked>".to_owned();
    let (fits, trials) = (Vec::new(), Vec::new());
    Plan { title, inputs, shard: None, manifests, trials, fits, jobs }
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

/// The report of records in the order of their jobs.
pub(crate) fn report_of(plan: &Plan, records: &[Record]) -> Result<Report, ReportError> {
    let is_of = |job: &Job, record: &Record| {
        let setting = &plan.manifests[job.manifest].setting;
        (setting, job.run.key()) == (&record.setting, record.key.clone())
    };
    Report::new(plan, |take| {
        records.iter().try_for_each(|record| {
            let job = plan.jobs.iter().position(|job| is_of(job, record)).unwrap();
            take(job, record.clone())
        })
    })
}

pub(crate) fn report() -> Report {
    let plan = plan();
    report_of(&plan, &records(&plan)).unwrap()
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
    assert!(markdown.contains("of which nothing is known: 2008\\|2."), "{markdown}");
    let bars = |line: &str| line.replace("\\|", "").matches('|').count();
    for table in markdown.split("\n\n").filter(|block| block.starts_with('|')) {
        let header = bars(table.lines().next().unwrap());
        assert!(header > 1 && table.lines().all(|line| bars(line) == header), "{table}");
    }
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
    assert!(matches!(report_of(&plan, &records), Err(ReportError::Metrics(_))));
}

/// The same with the other attack in the view of the minimum-norm form.
fn min_norm() -> Plan {
    let text = EXPERIMENT.replace("name = \"tkmia\"", "name = \"tkmia\"\nvariant = \"min-norm\"");
    plan_of(&text.replace("\"released\"", "\"corrected\""))
}

#[test]
fn the_minimum_norm_form_stands_beside_the_best_other_attack() {
    let plan = min_norm();
    let report = report_of(&plan, &records(&plan)).unwrap();
    let rows = &report.tables[0].rows;
    // On the first sample both succeeded, with norms 1 and 2; the other attack failed on the second.
    let rival =
        |row: &Row| row.rival.as_ref().map(|rival| (rival.row, rival.both, rival.norm_ratio.value));
    assert_eq!(rival(&rows[1]), Some((0, 1, Some(0.5))));
    assert!(rows[0].rival.is_none() && rows[2].rival.is_none());
    assert_eq!(rival(&rows[3]), Some((2, 0, None)));
    // The best norms are 1 and 3: A* = 2, and A = (2 + 3)/2 for the other.
    let optimality = |row: &Row| row.value("local_optimality");
    assert_eq!((optimality(&rows[0]), optimality(&rows[1])), (Some(0.5), Some(1.0)));
    // More successes rank first; with one image that tells, chance would do the same.
    let rank = |row: &Row| row.rank.as_ref().map(|rank| (rank.place, rank.of, rank.first));
    assert_eq!((rank(&rows[0]), rank(&rows[1])), (Some((2, 2, 1)), Some((1, 2, 1))));
    assert_eq!((rank(&rows[2]), rank(&rows[3])), (None, None), "there is nothing else at k = 3");
    let test = |own, other| Some(SignTest { own, other, p: 1.0 });
    assert_eq!(rows[0].rank.unwrap().versus, [test(0, 1), test(0, 1)]);
    assert_eq!(rows[1].rank.unwrap().versus, [None; 2]);
    let markdown = report.markdown();
    // P@2 is 1, and 1/2 after one of the two attacks.
    assert!(markdown.contains("1.000 → 0.750"), "{markdown}");
    assert!(markdown.contains("TkMIA (min-norm): 0.500 over 1 settings"), "{markdown}");
    // Of the two samples the other attack succeeded on one.
    assert!(markdown.contains("1.000 / 0.500 (0.500") && markdown.contains("local optimality"));
    // P@2 is what it was, and 1/2 less on the first sample for the other: both are over both samples.
    assert!(markdown.contains("0.000 / 0.250 (-0.250"), "{markdown}");
    assert!(!self::report().markdown().contains("local optimality"));
    let html = report.html(&[], 0).unwrap();
    assert!(html.contains("Success by norm") && html.contains("ΔmAP@k by norm"));
    let norms = report.norms_csv();
    // A line for each of the four successes; within norm 3 both of the second row's samples have changed nothing.
    assert_eq!(norms.lines().count(), 1 + 4);
    assert!(norms.lines().any(|line| line.ends_with(",2,l2,3,1,0,0,0")), "{norms}");
}

#[test]
fn norms_of_another_view_are_no_rivals() {
    let mut plan = min_norm();
    for job in plan.jobs.iter_mut().step_by(2) {
        job.run = plan_of(EXPERIMENT).jobs[0].run.clone();
    }
    let report = report_of(&plan, &records(&plan)).unwrap();
    let rows = &report.tables[0].rows;
    assert!(rows.iter().all(|row| row.rival.is_none() && row.rank.is_none()));
    // Its only success, of norm 2, is the best that is known there.
    assert_eq!(rows[0].value("local_optimality"), None);
    assert!(!report.markdown().contains("over 1 settings"));
}

/// A table's CSV by its columns.
fn csv(table: &ReportTable) -> Vec<std::collections::HashMap<String, String>> {
    let text = table.csv();
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<_> = reader.deserialize().map(Result::unwrap).collect();
    assert!(!text.contains("-0,") && !text.contains("NaN"), "{text}");
    rows
}

#[test]
fn the_csv_has_every_measure_norm_and_cap() {
    let mut plan = plan();
    let capped = EXPERIMENT.replace("name = \"tkmia\"", "name = \"tkmia\"\nmax-forward = 3");
    plan.jobs[1].run = plan_of(&capped).jobs[1].run.clone();
    let report = report_of(&plan, &records(&plan)).unwrap();
    let rows = csv(&report.tables[0]);
    let row = &rows[0];
    for (column, expected) in [
        ("d_tkacc", "0.5"),
        ("d_tkacc_eq7", "0"),
        ("d_map_at_k", "0.375"),
        ("aper_input", "2"),
        ("aper_linf", "1"),
        ("norm_input_mean", "5"),
        ("norm_input_median", "5"),
        ("norm_input_q25", "3.5"),
        ("linf_input_mean", "2.5"),
        ("linf_input_q75", "3.25"),
        ("view", "tanh"),
        ("norm", "l2"),
        ("stop", "excluded"),
        ("max_iterations", "100"),
        ("forward_at_most", "100"),
    ] {
        assert_eq!(row[column], expected, "{column}");
    }
    assert!(!row["d_map_category"].is_empty());
    // The table allows 100 iterations, this method no more than three passes.
    assert_eq!(
        (rows[1]["max_iterations"].as_str(), rows[1]["forward_at_most"].as_str()),
        ("3", "3")
    );
    assert!(report.tables[0].heading().contains("at most 3 to 100 iterations"));
}

#[test]
fn an_attack_is_reported_by_the_norm_that_it_keeps_small() {
    let text = EXPERIMENT.replace(
        "name = \"tkmia\"",
        "name = \"tkmia\"\nvariant = \"min-norm\"\nnorm = \"linf\"\n\n[[method]]\nname = \"tkmia\"\n\
         optimiser = \"pgd\"\nnorm = \"linf\"\nradius = 1",
    );
    let plan = plan_of(&text.replace("\"released\"", "\"corrected\""));
    let out = [0.0, 0.5, 4.0, 3.0, 2.0, 1.0];
    let found = |job: usize, linf| Record {
        linf_input: linf,
        ..record(&plan.jobs[job], &plan, "one", out, 1.0, true)
    };
    // The last is the best rival in L∞, the first has the smallest L2 norm.
    let records = [found(0, 0.01), found(1, 0.2), found(2, 0.4)];
    let report = report_of(&plan, &records).unwrap();
    let rows = &report.tables[0].rows;
    assert_eq!(rows[1].label, "TkMIA (min-norm), linf");
    let rival = rows[1].rival.as_ref().unwrap();
    assert_eq!((rival.row, rival.norm_ratio.value), (2, Some(0.5)));
    assert_eq!(rows[1].by_norm()[0].norm, 0.2);
    let html = report.html(&[], 0).unwrap();
    assert!(html.contains("Success by L∞ norm") && html.contains("mean ‖ε‖∞"));
}

#[test]
fn all_of_twenty_is_not_certainty_and_one_sample_has_no_interval() {
    let plan = plan();
    let out = [0.0, 0.5, 4.0, 3.0, 2.0, 1.0];
    let found =
        |id: usize| record(&plan.jobs[0], &plan, &id.to_string(), out, 1.0 + id as f64, true);
    let twenty: Vec<Record> = (0..20).map(found).collect();
    let interval = |records: &[Record], column| {
        let report = report_of(&plan, records).unwrap();
        report.tables[0].rows[0].cell(column).unwrap().interval
    };
    let [low, high] = interval(&twenty, "success").unwrap();
    assert!((low - 0.839).abs() < 1e-3 && high == 1.0);
    let [low, high] = interval(&twenty, "aper_input").unwrap();
    assert!(low > 7.0 && low < 9.0 && high > 12.0 && high < 14.5, "{low} {high}");
    assert_eq!(interval(&twenty[..1], "success"), None);
    assert_eq!(interval(&twenty[..1], "aper_input"), None);
}

#[test]
fn a_curve_of_many_successes_has_a_thousand_points_at_most_and_ends_where_it_did() {
    let plan = plan();
    let out = [0.0, 0.5, 4.0, 3.0, 2.0, 1.0];
    let found = |id: usize| record(&plan.jobs[0], &plan, &id.to_string(), out, id as f64, id > 0);
    let points = |count: usize| {
        let records: Vec<Record> = (0..count).map(found).collect();
        let report = report_of(&plan, &records).unwrap();
        let row = &report.tables[0].rows[0];
        assert_eq!((row.samples, row.failures()), (count, 1));
        row.by_norm()
    };
    assert_eq!(points(1001).len(), 1000, "one for each success");
    // Three successes in each.
    let points = points(2501);
    assert_eq!(points.len(), 834);
    assert_eq!((points[0].norm, points[0].success), (3.0, 3.0 / 2501.0));
    let last = &points[833];
    assert_eq!((last.norm, last.success), (2500.0, 2500.0 / 2501.0));
    // Each success takes the same from P@2.
    assert!(
        (last.changes[0] / last.success - points[0].changes[0] / points[0].success).abs() < 1e-12
    );
}

#[test]
fn draws_of_an_image_are_one_sample_and_their_means_spread() {
    let plan = plan();
    let out = [0.0, 0.5, 4.0, 3.0, 2.0, 1.0];
    let found = |id: &str, specified: [usize; 2], draws: &[usize], norm| Record {
        specified: specified.to_vec(),
        draws: draws.to_vec(),
        ..record(&plan.jobs[0], &plan, id, out, norm, true)
    };
    let records = [
        found("one", [0, 1], &[0, 2], 1.0),
        found("two", [0, 1], &[0, 1, 2], 4.0),
        found("one", [1, 2], &[1], 4.0),
    ];
    let report = report_of(&plan, &records).unwrap();
    let row = &report.tables[0].rows[0];
    assert_eq!((row.n, row.draws, row.samples), (2, 3, 6));
    // The draws' means are 2.5, 4 and 2.5.
    let cell = row.cell("aper_input").unwrap();
    assert_eq!(cell.value, Some(3.0));
    assert!((cell.spread.unwrap() - 0.75_f64.sqrt()).abs() < 1e-12);
    // Wilson's interval of two of two, not of six of six.
    let [low, _] = row.cell("success").unwrap().interval.unwrap();
    assert!((low - 0.342).abs() < 1e-3, "{low}");
    assert!(report.markdown().contains("S is drawn 3 times for each of the n images"));
}

#[test]
fn an_attack_that_failed_for_its_own_reasons_is_no_sign_of_robustness() {
    let plan = plan();
    let mut records = records(&plan);
    records[1].indicators = vec![Indicator::ZeroGradient, Indicator::FlatLoss];
    records[2].indicators = vec![Indicator::ZeroGradient];
    let report = report_of(&plan, &records).unwrap();
    let rows = csv(&report.tables[0]);
    assert_eq!((rows[0]["zero_gradient"].as_str(), rows[0]["flat_loss"].as_str()), ("1", "1"));
    let warning = "TkML-AP-U (released) at k = 2, |S| = 2 succeeds on 0.500 of the samples only, and that is no \
                   sign of a robust network: of its 1 failures there is zero-gradient on 1, flat-loss on 1.";
    let markdown = report.markdown().replace('\\', "");
    let html = report.html(&[], 0).unwrap();
    for text in [&markdown, &html] {
        assert!(text.contains(warning), "{text}");
        assert!(
            text.contains("zero-gradient: A gradient was zero everywhere: the scores don"),
            "{text}"
        );
        // The other attack succeeded in spite of its sign.
        assert_eq!(text.matches("Warning:").count(), 1);
    }
    assert!(!self::report().markdown().contains("Signs that"));
}

#[test]
fn the_page_and_the_markdown_hold_the_same_tables() {
    let plan = min_norm();
    let report = report_of(&plan, &records(&plan)).unwrap();
    let (markdown, html) = (report.markdown(), report.html(&[], 0).unwrap());
    for text in [&markdown, &html] {
        for expected in ["passes", "the best other", "Success by class", "over 1 settings"] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}

#[test]
fn the_caption_says_what_victim_and_hyper_parameters_saw() {
    let mut plan = plan();
    let stated = |plan: &Plan| report_of(plan, &[]).unwrap().markdown();
    let text = stated(&plan);
    assert!(text.contains("what it was trained on is not stated; not held out"), "{text}");
    assert!(text.contains("Data: VOC 2012, val, 9 images."), "{text}");
    plan.inputs.victim.trained_on = Some("train".to_owned());
    plan.inputs.victim.held_out = true;
    let data =
        DataFacts { split: "a share of 0.2".to_owned(), images: 3, ..plan.inputs.data.clone() };
    plan.inputs.tuning = Some(tkmia_experiment::TuningFacts { data, samples: 4 });
    let text = stated(&plan);
    assert!(text.contains("held out: nothing about the attacks was chosen on it"), "{text}");
    assert!(text.contains("chosen on other images: VOC 2012, a share of 0.2, 3 images"), "{text}");
}

#[test]
fn victims_stand_side_by_side() {
    let plan = min_norm();
    let report = report_of(&plan, &records(&plan)).unwrap();
    let text = beside(&[report.clone(), report]);
    let rows: Vec<&str> = text.lines().filter(|line| line.contains("TkMIA (min-norm)")).collect();
    assert_eq!(rows.len(), 2, "{text}");
    assert!(rows[0].contains("| 1 ") && rows[1].contains("| 2 ") && rows[1].contains("0.500"));
    assert!(text.lines().next().unwrap().contains("| success |"), "{text}");
    assert!(text.contains("\n2. Victim: a network"), "{text}");
}
