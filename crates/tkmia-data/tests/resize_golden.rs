//! Resized images against Pillow's, recorded by `golden/resize/record.py`.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tkmia_data::Resize;

#[test]
fn resized_images_are_bit_for_bit_those_of_pillow() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/resize");
    let open = |file: String| image::open(folder.join(file)).map(|image| image.into_rgb8());
    let recording: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("recording.json"))?)?;
    let cases = recording["cases"].as_array().expect("the recording lists its cases");
    assert_eq!(cases.len(), 18);
    for case in cases {
        let stem = case["stem"].as_str().expect("a case has a file stem");
        let side = case["side"].as_u64().expect("a case has a side") as u32;
        let resize = match case["how"].as_str() {
            Some("short_side") => Resize::short_side(side),
            Some("square") => Resize::square(side),
            other => panic!("{stem}: unknown way to resize: {other:?}"),
        };
        let filter = case.get("filter").cloned().map(serde_json::from_value).transpose()?;
        let scaled = case["scaled"].as_u64().map(|scaled| scaled as u32);
        let resize = Resize {
            filter: filter.unwrap_or(resize.filter),
            scaled: scaled.unwrap_or(side),
            ..resize
        };
        let square = resize.apply(&open(format!("{stem}.input.png"))?)?;
        assert!(square == open(format!("{stem}.expected.png"))?, "{stem} differs");
    }
    Ok(())
}
