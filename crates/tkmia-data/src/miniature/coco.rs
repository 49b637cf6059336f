//! COCO 2014's layout, written.

use std::path::Path;

use fastrand::Rng;
use serde_json::{Value, json};

use super::scene::{Object, Scene};
use super::{Sample, write_file, write_images};
use crate::DataError;

/// COCO's categories: id and name.
#[rustfmt::skip]
pub(crate) const CATEGORIES: [(u64, &str); 80] = [
    (1, "person"), (2, "bicycle"), (3, "car"), (4, "motorcycle"), (5, "airplane"), (6, "bus"),
    (7, "train"), (8, "truck"), (9, "boat"), (10, "traffic light"), (11, "fire hydrant"),
    (13, "stop sign"), (14, "parking meter"), (15, "bench"), (16, "bird"), (17, "cat"),
    (18, "dog"), (19, "horse"), (20, "sheep"), (21, "cow"), (22, "elephant"), (23, "bear"),
    (24, "zebra"), (25, "giraffe"), (27, "backpack"), (28, "umbrella"), (31, "handbag"),
    (32, "tie"), (33, "suitcase"), (34, "frisbee"), (35, "skis"), (36, "snowboard"),
    (37, "sports ball"), (38, "kite"), (39, "baseball bat"), (40, "baseball glove"),
    (41, "skateboard"), (42, "surfboard"), (43, "tennis racket"), (44, "bottle"),
    (46, "wine glass"), (47, "cup"), (48, "fork"), (49, "knife"), (50, "spoon"), (51, "bowl"),
    (52, "banana"), (53, "apple"), (54, "sandwich"), (55, "orange"), (56, "broccoli"),
    (57, "carrot"), (58, "hot dog"), (59, "pizza"), (60, "donut"), (61, "cake"), (62, "chair"),
    (63, "couch"), (64, "potted plant"), (65, "bed"), (67, "dining table"), (70, "toilet"),
    (72, "tv"), (73, "laptop"), (74, "mouse"), (75, "remote"), (76, "keyboard"),
    (77, "cell phone"), (78, "microwave"), (79, "oven"), (80, "toaster"), (81, "sink"),
    (82, "refrigerator"), (84, "book"), (85, "clock"), (86, "vase"), (87, "scissors"),
    (88, "teddy bear"), (89, "hair drier"), (90, "toothbrush"),
];

/// Writes a split whose list of annotations is in no order, and gives its samples in theirs.
pub(super) fn write(
    root: &Path,
    split: &str,
    scenes: &[Scene],
    random: &mut Rng,
) -> Result<Vec<Sample>, DataError> {
    let id = |scene: usize| 7 * scene as u64 + 9;
    let file_name = |scene| format!("COCO_{split}2014_{:012}.jpg", id(scene));
    let mut objects: Vec<(usize, &Object)> = (0..)
        .zip(scenes)
        .flat_map(|(at, scene)| scene.objects.iter().map(move |object| (at, object)))
        .collect();
    random.shuffle(&mut objects);
    let annotations = (1..).zip(&objects).map(|(annotation, &(scene, object))| {
        json!({
            "segmentation": segmentation(object),
            "area": object.side * object.side,
            "iscrowd": u8::from(object.marked),
            "image_id": id(scene),
            "bbox": [object.left, object.top, object.side, object.side],
            "category_id": CATEGORIES[object.label].0,
            "id": 3 * annotation,
        })
    });
    let mut order: Vec<usize> = (0..scenes.len()).collect();
    random.shuffle(&mut order);
    let images = order.iter().map(|&scene| {
        let Scene { width, height, .. } = scenes[scene];
        json!({ "file_name": file_name(scene), "height": height, "width": width, "id": id(scene) })
    });
    let categories = CATEGORIES.iter().map(|(id, name)| json!({ "id": id, "name": name }));
    // Not one object, whose fields would be in alphabetical order.
    let instances = format!(
        r#"{{"info": {}, "images": {}, "licenses": [], "annotations": {}, "categories": {}}}"#,
        json!({ "description": "synthetic scenes in COCO 2014's layout" }),
        images.collect::<Value>(),
        annotations.collect::<Value>(),
        categories.collect::<Value>(),
    );
    let path = root.join(format!("annotations/instances_{split}2014.json"));
    write_file(&path, instances)?;
    let files: Vec<_> =
        (0..scenes.len()).map(|scene| format!("{split}2014/{}", file_name(scene))).collect();
    write_images(root, scenes, &files)?;

    let mut mentioned = vec![false; scenes.len()];
    let first = |&(scene, _): &(usize, _)| !std::mem::replace(&mut mentioned[scene], true);
    let sample = |(scene, _)| Sample {
        id: id(scene).to_string(),
        labels: Scene::labels(&scenes[scene], true),
    };
    Ok(objects.into_iter().filter(first).map(sample).collect())
}

/// A polygon, or a crowd's run lengths.
fn segmentation(object: &Object) -> Value {
    let &Object { left, top, side, marked, .. } = object;
    let (right, bottom) = (left + side, top + side);
    match marked {
        true => json!({ "counts": [left, side, right], "size": [side, side] }),
        false => json!([[left, top, right, top, right, bottom, left, bottom]]),
    }
}
