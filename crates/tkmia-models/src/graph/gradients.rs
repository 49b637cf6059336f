//! Each family of operators against finite differences of what it computes.

use burn::tensor::{Device, Tensor, TensorData};
use tkmia_core::Tagger;

use super::build::build;
use super::written::{Weights, graph};

/// Height and width of the images.
const SIDE: usize = 6;

/// The largest difference between the gradient and central differences, over the largest of these.
fn apart(name: &str, lines: &str, weights: Weights) -> f64 {
    let device = Device::flex();
    let built = build(&graph(lines, weights, 22), None, &Tagger::default(), &device);
    let built = built.unwrap_or_else(|error| panic!("{name}: {error}"));
    let count = 2 * 3 * SIDE * SIDE;
    // All different, so that a step changes no order.
    let images: Vec<f32> =
        (0..count).map(|at| (at * 7919 % count) as f32 / 120.0 - 0.899).collect();
    let at = |values: Vec<f32>| {
        Tensor::<4>::from_data(TensorData::new(values, [2, 3, SIDE, SIDE]), &device)
    };
    // Σ cotangent · output
    let weighed = |images: Tensor<4>| {
        let output = built.program.run(images).unwrap_or_else(|error| panic!("{name}: {error}"));
        let length = output.len();
        let output: Tensor<1> = output.reshape(&[length]).unwrap().tensor().unwrap();
        let cotangent: Vec<f32> = (0..length).map(|at| (at as f32 * 1.3).cos()).collect();
        let cotangent = Tensor::<1>::from_floats(&cotangent[..], &output.device());
        (output * cotangent).sum()
    };
    let tracked = at(images.clone()).autodiff().require_grad();
    let gradients = weighed(tracked.clone()).backward();
    let gradient = tracked.grad(&gradients).expect("the output depends on the images");
    let gradient = gradient.try_to_vec_as::<f32>().unwrap();
    let step = 2e-3_f32;
    let (mut worst, mut largest) =
        (0.0_f64, gradient.iter().fold(0.0_f64, |most, of| most.max(of.abs().into())));
    for place in (0..count).step_by(5) {
        let moved = |by: f32| {
            let mut images = images.clone();
            images[place] += by;
            f64::from(weighed(at(images)).into_scalar::<f32>())
        };
        let expected = (moved(step) - moved(-step)) / f64::from(2.0 * step);
        let difference = (expected - f64::from(gradient[place])).abs();
        worst = if difference.is_finite() { worst.max(difference) } else { f64::INFINITY };
        largest = largest.max(expected.abs());
    }
    worst / largest
}

/// Of the largest difference quotient: what rounding and curvature leave.
const NEAR: f64 = 2e-2;

#[test]
fn every_family_of_operators_has_the_gradient_of_what_it_computes() {
    let one = |op: &str| format!("scores = {op}");
    let cases: &[(&str, Weights)] = &[
        ("Abs(images)", &[]),
        ("Sigmoid(images)", &[]),
        ("Tanh(images)", &[]),
        ("Erf(images)", &[]),
        ("Exp(images)", &[]),
        ("Sin(images)", &[]),
        ("Atan(images)", &[]),
        ("Softplus(images)", &[]),
        ("Softsign(images)", &[]),
        ("Relu(images)", &[]),
        ("LeakyRelu(images) alpha=0.1", &[]),
        ("PRelu(images, w)", &[("w", &[3, 1, 1])]),
        ("Elu(images) alpha=1.5", &[]),
        ("Celu(images) alpha=1.5", &[]),
        ("Selu(images)", &[]),
        ("Gelu(images)", &[]),
        ("Gelu(images) approximate=tanh", &[]),
        ("HardSigmoid(images)", &[]),
        ("HardSwish(images)", &[]),
        ("Mish(images)", &[]),
        ("Swish(images) alpha=1.5", &[]),
        ("Shrink(images) lambd=0.3", &[]),
        ("ThresholdedRelu(images) alpha=0.2", &[]),
        ("Add(images, w)", &[("w", &[3, 1, 6])]),
        ("Mul(images, w)", &[("w", &[3, 1, 6])]),
        ("Max(images, w)", &[("w", &[6])]),
        ("Min(images, w)", &[("w", &[6])]),
        ("Mean(images, w, w)", &[("w", &[6])]),
        ("ReduceSum(images, [1;3])", &[]),
        ("ReduceMean(images, [-1]) keepdims=0", &[]),
        ("ReduceMax(images, [2])", &[]),
        ("ReduceMin(images, [2])", &[]),
        ("ReduceProd(images, [1])", &[]),
        ("ReduceL1(images, [1])", &[]),
        ("ReduceL2(images, [1;2])", &[]),
        ("ReduceLogSumExp(images, [3])", &[]),
        ("ReduceSumSquare(images, [3])", &[]),
        ("Softmax(images) axis=1", &[]),
        ("LogSoftmax(images)", &[]),
        ("CumSum(images, [2]) reverse=1 exclusive=1", &[]),
        ("Reshape(images, [0;-1])", &[]),
        ("Flatten(images) axis=2", &[]),
        ("Transpose(images) perm=0,2,3,1", &[]),
        ("Slice(images, [4;0], [0;6], [2;3], [-2;3])", &[]),
        ("Pad(images, [0;0;2;1;0;0;1;3]) mode=reflect", &[]),
        ("Pad(images, [0;0;2;-1;0;0;1;3]) mode=constant", &[]),
        ("Pad(images, [2;1;1;2], _, [2;3]) mode=edge", &[]),
        ("Pad(images, [2;1;1;2], _, [2;3]) mode=wrap", &[]),
        ("Tile(images, [1;2;1;3])", &[]),
        ("Expand(images, [2;2;3;6;6])", &[]),
        ("Concat(images, images) axis=-1", &[]),
        ("Trilu(images, [1]) upper=0", &[]),
        ("MatMul(images, w)", &[("w", &[6, 4])]),
        ("MatMul(w, images)", &[("w", &[4, 6])]),
        ("MatMul(images, images)", &[]),
        ("Einsum(images, w) equation=bchw,cd->bdh", &[("w", &[3, 4])]),
        ("Einsum(images, images) equation=bchw,bcvw->bchv", &[]),
        ("Conv(images, w, b) pads=1,0,2,1 strides=2,1", &[("w", &[4, 3, 3, 3]), ("b", &[4])]),
        ("Conv(images, w) group=3 dilations=2,1 pads=2,1,2,1", &[("w", &[6, 1, 3, 3])]),
        ("Conv(images, w) auto_pad=SAME_UPPER strides=2,2", &[("w", &[2, 3, 3, 3])]),
        (
            "ConvTranspose(images, w, b) strides=2,2 pads=1,0,1,2 output_padding=1,0",
            &[("w", &[3, 2, 3, 3]), ("b", &[2])],
        ),
        ("MaxPool(images) kernel_shape=3,2 strides=2,2 pads=1,0,1,1 ceil_mode=1", &[]),
        ("AveragePool(images) kernel_shape=3,3 strides=2,2 pads=1,1,1,1 ceil_mode=1", &[]),
        (
            "AveragePool(images) kernel_shape=2,2 dilations=2,2 count_include_pad=1 pads=1,1,0,0",
            &[],
        ),
        ("LpPool(images) kernel_shape=2,2 strides=2,2", &[]),
        ("GlobalAveragePool(images)", &[]),
        ("GlobalMaxPool(images)", &[]),
        ("BatchNormalization(images, w, w, w, v) epsilon=0.75", &[("w", &[3]), ("v", &[3])]),
        ("InstanceNormalization(images, w, w)", &[("w", &[3])]),
        ("LayerNormalization(images, w, w) axis=2", &[("w", &[6, 6])]),
        ("GroupNormalization(images, w, w) num_groups=3", &[("w", &[3])]),
        ("RMSNormalization(images, w)", &[("w", &[6])]),
        ("LpNormalization(images) axis=1", &[]),
        ("LRN(images) size=3 alpha=0.5", &[]),
        ("MeanVarianceNormalization(images)", &[]),
        ("Gather(images, [5;0;-2;0]) axis=2", &[]),
        ("Resize(images, _, _, [2;3;9;4]) mode=linear", &[]),
        (
            "Resize(images, _, _, [2;3;9;4]) mode=cubic coordinate_transformation_mode=align_corners",
            &[],
        ),
        ("Resize(images, _, _, [2;3;9;12])", &[]),
        ("Resize(images, _, _, [2;3;4;3]) mode=linear antialias=1", &[]),
        ("DepthToSpace(images) blocksize=1", &[]),
        ("SpaceToDepth(images) blocksize=3", &[]),
        ("Attention(images, images, w) is_causal=1", &[("w", &[2, 3, 6, 5])]),
    ];
    let mut wrong = Vec::new();
    for (line, weights) in cases {
        let apart = apart(line, &one(line), weights);
        println!("{apart:.1e} {line}");
        if apart > NEAR {
            wrong.push(format!("{apart:.1e} {line}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_picks_and_places_elements_leads_back_to_them() {
    let weights: Weights = &[("h", &[]), ("e", &[6]), ("u", &[1, 1, 2, 2])];
    let cases = [
        "i = Reshape([0;5;3;1], [1;1;2;2])\nscores = GatherElements(images, i) axis=3",
        "t = Transpose(images) perm=2,3,0,1\ni = Reshape([0;1;4;5;2;2], [3;2])\nscores = GatherND(t, i)",
        "i = Reshape([0;5;3;1], [1;1;2;2])\nscores = ScatterElements(images, i, u) axis=3",
        "i = Reshape([0;5;3;1], [1;1;2;2])\ns = Slice(images, [0;0;1;1], [1;1;3;3])\n\
         scores = ScatterElements(images, i, s) axis=3 reduction=add",
        "i = Reshape([1;0], [1;2])\ns = Slice(images, [0;2], [1;3], [0;1])\nq = Squeeze(s, [1])\n\
         scores = ScatterND(images, i, q)",
        "scores, places = TopK(images, [3]) axis=2",
        "a, b = Split(images, [2;4]) axis=3\nscores = Concat(b, a) axis=3",
        "n = Neg(images)\nc = Greater(images, h)\ns = Mul(images, images)\nscores = Where(c, s, n)",
        "p = Exp(images)\nscores = Pow(p, e)",
        "p = Exp(images)\nscores = Div(e, p)",
        "n = Neg(h)\nscores = Clip(images, n, h)",
        "p = Exp(images)\nq = Sqrt(p)\nr = Reciprocal(q)\nscores = Log(r)",
        "scores = DequantizeLinear(images, h)",
        "p = Exp(images)\nscores = CumProd(p, [3]) exclusive=1",
    ];
    for lines in cases {
        let apart = apart(lines, lines, weights);
        println!("{apart:.1e} {}", lines.replace('\n', "; "));
        assert!(apart < NEAR, "{lines}: {apart}");
    }
}
