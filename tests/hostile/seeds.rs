//! Small whole files of each kind.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use ndarray::{Array1, Array2, Array3};
use ndarray_npy::{NpzWriter, WriteNpyExt};
use tkmia::core::device;
use tkmia::data::miniature::{Layout, Miniature};
use tkmia::data::{Resize, Transform, Voc2012};
use tkmia::experiment::{Campaign, Experiment, Victim, VictimFacts, Workers};
use tkmia::image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use tkmia::models::{TrainableResNet, load};

use crate::damage::put_varint;

/// Small whole files that belong together, below a folder; some of them are damaged.
pub struct Seed {
    pub files: Vec<(PathBuf, Vec<u8>)>,
    pub damaged: Vec<usize>,
}

/// Operators that change shapes, or whose work depends on their attributes.
pub const OPERATORS: [&str; 60] = [
    "Add",
    "And",
    "ArgMax",
    "Attention",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "CumSum",
    "DepthToSpace",
    "DequantizeLinear",
    "Div",
    "Einsum",
    "Equal",
    "Expand",
    "EyeLike",
    "Flatten",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gemm",
    "GlobalAveragePool",
    "GroupNormalization",
    "Identity",
    "If",
    "LRN",
    "LayerNormalization",
    "LpPool",
    "MatMul",
    "MaxPool",
    "Mod",
    "NonZero",
    "OneHot",
    "Pad",
    "Pow",
    "QuantizeLinear",
    "Range",
    "ReduceMean",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Resize",
    "ScatterElements",
    "ScatterND",
    "Shape",
    "Sigmoid",
    "Size",
    "Slice",
    "Softmax",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "TopK",
    "Unsqueeze",
];

fn repository(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    root.map(|root| root.join(path)).find(|path| path.exists()).unwrap()
}

/// The files of a folder with these extensions, in the order of their names.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(repository(folder)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|own| own == extension));
    paths.sort();
    paths
}

/// Files that are alone.
fn alone(name: &str, files: impl IntoIterator<Item = Vec<u8>>) -> Vec<Seed> {
    let seed = |bytes| Seed { files: vec![(name.into(), bytes)], damaged: vec![0] };
    files.into_iter().map(seed).collect()
}

pub fn onnx() -> Vec<Seed> {
    let mut paths = files("crates/tkmia-models/tests/golden/variants", "onnx");
    // Its weights are in another file.
    paths.retain(|path| !path.ends_with("dynamo-external.onnx"));
    let networks = ["vgg", "densenet", "relu6", "same-padding", "softmax"];
    let networks = networks.map(|name| {
        repository(&format!("crates/tkmia-models/tests/golden/variants/broken/{name}.onnx"))
    });
    let mut seeds =
        alone("model.onnx", paths.into_iter().chain(networks).map(|path| fs::read(path).unwrap()));
    let external = ["dynamo-external.onnx", "dynamo-external.onnx.data"].map(|name| {
        fs::read(repository(&format!("crates/tkmia-models/tests/golden/variants/{name}"))).unwrap()
    });
    let [model, data] = external;
    let files = vec![("model.onnx".into(), model), ("dynamo-external.onnx.data".into(), data)];
    seeds.push(Seed { files, damaged: vec![0, 0, 0, 1] });
    seeds
}

/// Graphs of other networks, by lines such as `y = Conv(x, w) pads=1,1,1,1`; `[1;2]` is a list of integers, and `w` and `v`
/// are weights.
const GRAPHS: [(&str, &[i64]); 18] = [
    (
        "a = Conv(images, w) pads=1,1,1,1\nb = Relu(a)\nc = MaxPool(b) kernel_shape=2,2 strides=2,2\nd = GlobalAveragePool(c)\nscores = Flatten(d)",
        &[4, 3, 3, 3],
    ),
    (
        "a = ConvTranspose(images, w) strides=2,2\nb = LRN(a) size=3\nscores = ReduceMean(b, [2;3]) keepdims=0",
        &[3, 4, 2, 2],
    ),
    (
        "a = Resize(images, _, _, [1;3;16;12]) mode=linear\nb = Resize(a, _, _, [1;3;5;5]) mode=cubic antialias=1\nscores = ReduceMean(b, [2;3]) keepdims=0",
        &[1],
    ),
    (
        "a = Pad(images, [0;0;1;1;0;0;1;1]) mode=reflect\nb = AveragePool(a) kernel_shape=3,3 strides=2,2 auto_pad=SAME_UPPER\nscores = ReduceMax(b, [2;3]) keepdims=0",
        &[1],
    ),
    (
        "s = Shape(images)\nb = Gather(s, [0])\nc = Concat(b, [-1]) axis=0\nd = Reshape(images, c)\nscores = MatMul(d, w)",
        &[192, 4],
    ),
    (
        "a = Tile(images, [1;1;2;2])\nb = Slice(a, [1], [9], [2], [2])\nc = Expand(b, [1;3;4;16])\nscores = ReduceSum(c, [2;3]) keepdims=0",
        &[1],
    ),
    (
        "k = ConstantOfShape([1;3;8;8])\na = Add(images, k)\nb = Transpose(a) perm=0,2,3,1\nc = Flatten(b) axis=1\nscores = Gemm(c, w) transB=1",
        &[5, 192],
    ),
    (
        "a = Einsum(images, w) equation=nchw,kc->nkhw\nb = Softmax(a) axis=1\nscores = ReduceMean(b, [2;3]) keepdims=0",
        &[4, 3],
    ),
    (
        "a, b = Split(images) axis=2 num_outputs=2\nc = Concat(a, b) axis=1\ne = SpaceToDepth(c) blocksize=2\nd = DepthToSpace(e) blocksize=1\nscores = ReduceMean(d, [2;3]) keepdims=0",
        &[1],
    ),
    (
        "v1, i = TopK(images, [2])\na = GatherElements(images, i) axis=3\nb = Add(a, v1)\nscores = ReduceMean(b, [2;3]) keepdims=0",
        &[1],
    ),
    (
        "a = Reshape(images, [0;3;64])\nb = Transpose(a) perm=0,2,1\nc = MatMul(b, w)\nd = Attention(c, c, c) q_num_heads=2 kv_num_heads=2\nscores = ReduceMean(d, [1]) keepdims=0",
        &[3, 4],
    ),
    (
        "a = Trilu(images) upper=0\nb = LpPool(a) kernel_shape=2,2 dilations=2,2\nd = Unsqueeze(b, [0])\nc = Squeeze(d, [0])\nscores = ReduceMean(c, [2;3]) keepdims=0",
        &[1],
    ),
    (
        "m = Equal([1], [1])\ni = Where(m, [1], [0])\na = Gather(images, i) axis=1\nb = OneHot(i, [3], [0;1])\nc = Cast(b) to=1\ne = Flatten(a)\nd = MatMul(e, w)\nscores = Concat(d, c) axis=1",
        &[64, 4],
    ),
    (
        "n = Unsqueeze([1;2], [1])\nr = ScatterND([0;0;0;0], n, [5;6])\nc = Cast(r) to=1\nd = GlobalMaxPool(images)\ne = Flatten(d)\nf = MatMul(e, w)\nscores = Add(f, c)",
        &[3, 4],
    ),
    (
        "a = Clip(images)\nb = InstanceNormalization(a, w, w)\nc = GroupNormalization(b, w, w) num_groups=3\nd = BatchNormalization(c, w, w, w, w)\nscores = ReduceMean(d, [2;3]) keepdims=0",
        &[3],
    ),
    (
        "a = Conv(images, w) group=3 dilations=2,2 strides=2,1\nb = HardSwish(a)\nc = Conv(b, v) auto_pad=SAME_LOWER\nscores = ReduceMean(c, [2;3]) keepdims=0",
        &[6, 1, 3, 3],
    ),
    (
        "a = Twice(images)\nb = Twice(a)\nk = Equal([2], [2])\nc = If(k)\nscores = ReduceMean(c, [2;3]) keepdims=0",
        &[1],
    ),
    (
        "a = Flatten(images)\nb = LayerNormalization(a, w)\nc = Mul(b, w)\nd = CumSum(c, [1])\nf = Reshape(d, [-1;16;12])\ne = NonZero([1;0;3])\ng = ReduceMax(e) keepdims=0\nh = Gather(f, g) axis=1\nscores = Identity(h)",
        &[192],
    ),
];

pub fn graphs() -> Vec<Seed> {
    alone("model.onnx", GRAPHS.iter().map(|(lines, weights)| graph(lines, weights)))
}

fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    let mut field = Vec::new();
    put_varint(number << 3 | 2, &mut field);
    put_varint(bytes.len() as u64, &mut field);
    [&field, bytes].concat()
}

fn number(number: u64, value: i64) -> Vec<u8> {
    let mut field = Vec::new();
    put_varint(number << 3, &mut field);
    put_varint(value as u64, &mut field);
    field
}

/// A tensor of integers (type 7) or floats (type 1), its bytes raw.
fn tensor(name: &str, dims: &[i64], data_type: i64, raw: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|&dim| number(1, dim)).collect();
    [dims, number(2, data_type), field(8, name.as_bytes()), field(9, raw)].concat()
}

fn floats(name: &str, dims: &[i64]) -> Vec<u8> {
    let value = |at: i64| ((at as f32 * 0.61).sin() * 0.5).to_le_bytes();
    tensor(name, dims, 1, &(0..dims.iter().product()).flat_map(value).collect::<Vec<u8>>())
}

/// A node by its line, and the lists of integers that it reads.
fn node(line: &str) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (outputs, rest) = line.split_once(" = ").unwrap();
    let (op, rest) = rest.split_once('(').unwrap();
    let (inputs, attributes) = rest.split_once(')').unwrap();
    let (mut node, mut lists) = (Vec::new(), Vec::new());
    for (at, input) in inputs.split(", ").enumerate() {
        if let Some(list) = input.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
            let ints: Vec<i64> = list.split(';').map(|int| int.parse().unwrap()).collect();
            let raw: Vec<u8> = ints.iter().flat_map(|int| int.to_le_bytes()).collect();
            let name = format!("{outputs}:{at}");
            lists.push(tensor(&name, &[ints.len() as i64], 7, &raw));
            node.extend(field(1, name.as_bytes()));
        } else {
            node.extend(field(1, if input == "_" { "" } else { input }.as_bytes()));
        }
    }
    outputs.split(", ").for_each(|output| node.extend(field(2, output.as_bytes())));
    node.extend(field(4, op.as_bytes()));
    for attribute in attributes.split_whitespace() {
        let (name, given) = attribute.split_once('=').unwrap();
        let name = field(1, name.as_bytes());
        let ints: Option<Vec<i64>> = given.split(',').map(|int| int.parse().ok()).collect();
        let value = match ints.as_deref() {
            Some(&[int]) => number(3, int),
            Some(ints) => ints.iter().flat_map(|&int| number(8, int)).collect(),
            None => field(4, given.as_bytes()),
        };
        node.extend(field(5, &[name, value].concat()));
    }
    if op == "If" {
        for (name, op) in [("then_branch", "Relu"), ("else_branch", "Neg")] {
            let nodes = field(1, &self::node(&format!("out = {op}(b)")).0);
            let branch = [nodes, field(12, &field(1, b"out"))].concat();
            node.extend(field(5, &[field(1, name.as_bytes()), field(6, &branch)].concat()));
        }
    }
    (node, lists)
}

fn graph(lines: &str, weights: &[i64]) -> Vec<u8> {
    let mut graph = Vec::new();
    for line in lines.lines() {
        let (node, lists) = node(line);
        graph.extend(field(1, &node));
        lists.iter().for_each(|list| graph.extend(field(5, list)));
    }
    graph.extend(field(5, &floats("w", weights)));
    graph.extend(field(5, &floats("v", &[2, 6, 2, 2])));
    let dims: Vec<u8> = [1, 3, 8, 8].iter().flat_map(|&dim| field(1, &number(1, dim))).collect();
    let declared = field(1, &[number(1, 1), field(2, &dims)].concat());
    graph.extend(field(11, &[field(1, b"images"), field(2, &declared)].concat()));
    graph.extend(field(12, &field(1, b"scores")));
    let twice = ["t = LeakyRelu(x)", "y = Neg(t)"].map(|line| field(7, &node(line).0)).concat();
    let function = [field(1, b"Twice"), field(4, b"x"), field(5, b"y"), twice].concat();
    let opset = [field(1, b""), number(2, 22)].concat();
    [number(1, 10), field(8, &opset), field(7, &graph), field(25, &function)].concat()
}

pub fn safetensors() -> Vec<Seed> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let file = |(name, side)| {
        let network = TrainableResNet::new(name, 2, 3, 1, &device("cpu").unwrap()).unwrap();
        network.save(&path, side).unwrap();
        fs::read(&path).unwrap()
    };
    alone("model.safetensors", [("resnet18", None), ("resnet14", Some(32))].map(file))
}

pub fn pytorch() -> Vec<Seed> {
    alone("model.pth", [fs::read(repository("assets/victims/resnet14-tiny.pth")).unwrap()])
}

/// A model with each of the files beside it that say how it sees images.
pub fn taggers() -> Vec<Seed> {
    let model = graph("a = ReduceMean(images, [2;3]) keepdims=0\nscores = MatMul(a, w)", &[3, 4]);
    let beside: [(&str, &str); 5] = [
        (
            "tagger.toml",
            "range = \"0..255\"\nchannels = \"bgr\"\nmean = [0, 127.5, 0]\nstd = [1, 2, 255]\ninput-size = 8\nresize-to = 9\nfilter = \"lanczos\"\n",
        ),
        (
            "tagger.toml",
            "layout = \"nchw\"\nresize = \"short-side\"\nscores-output = \"scores\"\nkeep-sigmoid = true\nlabels = [\"a\", \"b\", \"c\", \"d\"]\n",
        ),
        (
            "preprocessor_config.json",
            r#"{"do_rescale": true, "rescale_factor": 0.00392156862745098, "do_normalize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "do_resize": true, "size": {"shortest_edge": 8}, "resample": 3, "crop_pct": 0.875, "do_center_crop": true, "crop_size": {"height": 8, "width": 8}}"#,
        ),
        (
            "selected_tags.csv",
            "tag_id,name,category,count\n1,cat,0,9\n2,dog,0,8\n3,\"red, hot\",0,7\n4,tree,0,6\n",
        ),
        (
            "config.json",
            r#"{"model_type": "vit", "id2label": {"0": "a", "1": "b", "2": "c", "3": "d"}}"#,
        ),
    ];
    let seed = |(name, text): (&str, &str)| Seed {
        files: vec![("model.onnx".into(), model.clone()), (name.into(), text.into())],
        damaged: vec![1],
    };
    beside.map(seed).into()
}

/// The files below a folder with their paths in it, sorted.
fn below(root: &Path, folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(below(root, &path)),
            false => {
                files.push((path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap()))
            }
        }
    }
    files.sort();
    files
}

/// What lies in a folder; what has one of these extensions is left whole.
fn folder(root: &Path, whole: &[&str]) -> Seed {
    let files = below(root, root);
    let is_whole = |(path, _): &(PathBuf, Vec<u8>)| {
        path.extension().is_some_and(|own| whole.iter().any(|whole| own == *whole))
    };
    let damaged = (0..files.len()).filter(|&at| !is_whole(&files[at])).collect();
    Seed { files, damaged }
}

pub fn dataset(layout: Layout) -> Vec<Seed> {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("data");
    Miniature { layout, images: 6, seed: 5 }.write(&root).unwrap();
    vec![folder(&root, &["jpg"])]
}

pub fn tables() -> Vec<Seed> {
    let picture = encoded(picture().into(), ImageFormat::Png);
    let tables = [
        "image,cat,dog\none.png,1,0\na/two.png,1,1\n",
        "image;cat;\"dog, small\"\none.png;True;False\na\\two.png;1.0;0.0\n",
    ];
    let seed = |table: &str| Seed {
        files: vec![
            ("labels.csv".into(), table.into()),
            ("one.png".into(), picture.clone()),
            ("a/two.png".into(), picture.clone()),
        ],
        damaged: vec![0],
    };
    tables.map(seed).into()
}

fn picture() -> RgbImage {
    RgbImage::from_fn(40, 24, |x, y| Rgb([x as u8 * 6, y as u8 * 10, (x * y) as u8]))
}

fn encoded(image: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub fn images() -> Vec<Seed> {
    let rgb = DynamicImage::from(picture());
    let forms = [
        (rgb.clone(), ImageFormat::Png),
        (rgb.to_rgba16().into(), ImageFormat::Png),
        (rgb.to_luma8().into(), ImageFormat::Png),
        (rgb.clone(), ImageFormat::Jpeg),
        (rgb.to_luma8().into(), ImageFormat::Jpeg),
    ];
    let mut files: Vec<Vec<u8>> = forms.map(|(image, format)| encoded(image, format)).into();
    files.push(fs::read(repository("crates/tkmia-data/tests/images/cmyk.jpg")).unwrap());
    files.push(fs::read(repository("tests/hostile/progressive.jpg")).unwrap());
    alone("image", files)
}

pub fn arrays() -> Vec<Seed> {
    let values = Array3::from_shape_fn((3, 4, 5), |(c, y, x)| (c + y * x) as f32 * 0.01);
    let mut npz = NpzWriter::new_compressed(Cursor::new(Vec::new()));
    npz.add_array("perturbation", &values).unwrap();
    npz.add_array("tanh", &Array1::from_elem(1, 1_u8)).unwrap();
    npz.add_array("bounds", &Array1::from_vec(vec![-1.0_f32, 1.0])).unwrap();
    let mut files = vec![npz.finish().unwrap().into_inner()];
    let flags = Array2::from_shape_fn((3, 4), |(a, b)| ((a + b) % 2) as i64);
    let mut npy = Vec::new();
    flags.write_npy(&mut npy).unwrap();
    files.push(npy);
    let mut fortran = Vec::new();
    flags.mapv(|flag| flag as f64).reversed_axes().write_npy(&mut fortran).unwrap();
    files.push(fortran);
    alone("array", files)
}

pub fn experiments() -> Vec<Seed> {
    alone(
        "experiment.toml",
        // Beside them lie settings of training.
        files("experiments", "toml")
            .into_iter()
            .map(|path| fs::read_to_string(path).unwrap())
            .filter(|text| text.contains("[[method]]"))
            .map(String::into_bytes),
    )
}

/// The folders of finished runs.
pub fn runs() -> Vec<Seed> {
    let cpu = device("cpu").unwrap();
    let classifier = load(repository("assets/victims/resnet14-tiny.onnx"), &cpu).unwrap();
    let voc = Voc2012::open(repository("assets/mini-voc/VOC2012"), "val").unwrap();
    let transform = Transform { resize: Resize::short_side(32), bounds: classifier.bounds() };
    let run = |table: &str| {
        let text = format!(
            "title = \"T\"\npictures = 0\n[data]\nkind = \"voc-2012\"\n[budget]\nsamples = 2\n[[table]]\n{table}\nmax-iterations = 2\n[[method]]\nname = \"tkmia\"\n[[method]]\nname = \"ml-cw-u\"\nlr = [0.01, 0.1]\n"
        );
        let root = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let victim = Victim::new(&classifier, &voc, &transform).unwrap();
        let workers = Workers { count: 1, batch_size: 2, stop: &stop };
        let experiment = Experiment::parse(&text).unwrap();
        let facts = VictimFacts::default();
        Campaign::new(&experiment, victim, &facts, root.path(), workers).run(&|_| {}).unwrap();
        // It is empty, and nothing reads it.
        fs::remove_file(root.path().join("lock")).unwrap();
        folder(root.path(), &["png", "npy"])
    };
    [
        "scheme = \"random\"\nspecified = [1]\nk = [2]",
        "scheme = \"global\"\ntypes = [\"Person\"]\nk = [2, 3]",
    ]
    .map(run)
    .into()
}

pub fn words() -> Vec<Seed> {
    let texts = [
        "excluded and not (imperceptible or target-set(1, 2))",
        "measure-budget(ndcg, 0.05) or ordered-top-k(2, 1)",
        "0..255",
        "3/16",
        "median-norm=0.5",
    ];
    alone("words", texts.map(|text| text.as_bytes().to_vec()))
}
