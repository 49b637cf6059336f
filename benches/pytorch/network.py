"""A network from an ONNX file, in PyTorch: its graph, node by node."""

import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper

CUBIC = -0.75


class Network(torch.nn.Module):
    """Knows the operators of the networks that are compared; a graph with others is an error. Without a sigmoid at its end."""

    def __init__(self, path, trainable=False):
        super().__init__()
        model = onnx.load(path)
        self.graph, self.opset = model.graph, max(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
        self.weights = {each.name: self.weight(each, trainable) for each in self.graph.initializer}
        last = self.graph.node[-1]
        self.scores = last.input[0] if last.op_type == "Sigmoid" else self.graph.output[0].name
        self.options = [
            {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute} for node in self.graph.node
        ]

    @staticmethod
    def weight(each, trainable):
        value = torch.tensor(numpy_helper.to_array(each))
        value = value.float() if value.is_floating_point() else value
        return torch.nn.Parameter(value) if trainable and value.is_floating_point() else value

    def forward(self, images):
        values = {self.graph.input[0].name: images, "": None, **self.weights}
        for node, options in zip(self.graph.node, self.options):
            inputs = [values[name] for name in node.input]
            outputs = compute(node.op_type, inputs, options, self.opset, len(node.output))
            values.update(zip(node.output, outputs if isinstance(outputs, (tuple, list)) else [outputs]))
        return values[self.scores]


def integers(tensor):
    return [int(value) for value in tensor.flatten()]


def padded(x, pads, fill=0.0):
    """ONNX has all beginnings, then all ends; PyTorch pairs of them from the last axis on."""
    half = len(pads) // 2
    pairs = [pad for axis in reversed(range(half)) for pad in (pads[axis], pads[half + axis])]
    return F.pad(x, pairs, value=fill) if any(pairs) else x


def axes(x, options, at=1):
    found = integers(x[at]) if len(x) > at and x[at] is not None else options.get("axes")
    return found or list(range(x[0].dim()))


def pooled(kind, x, options):
    kernel, pads = options["kernel_shape"], options.get("pads", [0] * 2 * len(options["kernel_shape"]))
    half = len(kernel)
    assert pads[:half] == pads[half:], "symmetric pads"
    strides, ceil = options.get("strides", [1] * half), bool(options.get("ceil_mode", 0))
    if kind == "MaxPool":
        return getattr(F, f"max_pool{half}d")(x, kernel, strides, pads[:half], ceil_mode=ceil)
    counted = bool(options.get("count_include_pad", 0))
    return getattr(F, f"avg_pool{half}d")(x, kernel, strides, pads[:half], ceil, counted)


def resized(x, options):
    size = integers(x[3]) if len(x) > 3 and x[3] is not None and x[3].numel() else None
    size = size or [int(a * b) for a, b in zip(x[0].shape, x[2].tolist())]
    mode, places = options["mode"].decode(), options.get("coordinate_transformation_mode", b"half_pixel").decode()
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
    if mode == "nearest":
        return F.interpolate(x[0], size[2:], mode=mode)
    return F.interpolate(x[0], size[2:], mode=mode, align_corners=places == "align_corners")


def sliced(x):
    data, starts, ends = x[0], integers(x[1]), integers(x[2])
    along = integers(x[3]) if len(x) > 3 and x[3] is not None else range(len(starts))
    steps = integers(x[4]) if len(x) > 4 and x[4] is not None else [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, along, steps):
        places = list(range(*slice(start, end, step).indices(data.shape[axis])))
        data = data.index_select(axis, torch.tensor(places, dtype=torch.long)) if step < 0 else data[
            (slice(None),) * (axis % data.dim()) + (slice(start, end, step),)]
    return data


def attention(x, options):
    q, k, v = x[:3]
    assert q.dim() == 4 and len([each for each in x if each is not None]) == 3, "plain attention"
    return F.scaled_dot_product_attention(q, k, v, scale=options.get("scale"), is_causal=bool(options.get("is_causal", 0)))


def compute(kind, x, options, opset, count):
    match kind:
        case "Add": return x[0] + x[1]
        case "Sub": return x[0] - x[1]
        case "Mul": return x[0] * x[1]
        case "Div" if x[0].is_floating_point(): return x[0] / x[1]
        case "Div": return torch.div(x[0], x[1], rounding_mode="trunc")
        case "Pow": return x[0] ** x[1]
        case "Neg": return -x[0]
        case "Sqrt": return x[0].sqrt()
        case "Erf": return x[0].erf()
        case "Relu": return F.relu(x[0])
        case "LeakyRelu": return F.leaky_relu(x[0], options.get("alpha", 0.01))
        case "Elu": return F.elu(x[0], options.get("alpha", 1.0))
        case "Gelu": return F.gelu(x[0], approximate=options.get("approximate", b"none").decode())
        case "Sigmoid": return x[0].sigmoid()
        case "HardSigmoid": return (options.get("alpha", 0.2) * x[0] + options.get("beta", 0.5)).clamp(0, 1)
        case "HardSwish": return F.hardswish(x[0])
        case "Clip": return x[0].clamp(*x[1:])
        case "Identity": return x[0]
        case "Cast": return x[0].to({1: torch.float32, 10: torch.float32, 7: torch.int64}[options["to"]])
        case "Constant":
            value = torch.tensor(numpy_helper.to_array(options["value"]))
            return value.float() if value.is_floating_point() else value
        case "Conv":
            half = len(options.get("pads", [0] * 4)) // 2
            pads = options.get("pads", [0] * 2 * half)
            given, pads = (x[0], pads[:half]) if pads[:half] == pads[half:] else (padded(x[0], [0] * 2 + pads[:half] + [0] * 2 + pads[half:]), 0)
            convolve = {1: F.conv1d, 2: F.conv2d}[half]
            return convolve(given, *x[1:], stride=options.get("strides", 1), padding=pads, dilation=options.get("dilations", 1), groups=options.get("group", 1))
        case "ConvTranspose":
            half = len(options["kernel_shape"])
            return F.conv_transpose2d(*x, stride=options["strides"], padding=options["pads"][:half], output_padding=options.get("output_padding", 0), groups=options.get("group", 1))
        case "BatchNormalization": return F.batch_norm(x[0], x[3], x[4], x[1], x[2], eps=options.get("epsilon", 1e-5))
        case "InstanceNormalization": return F.instance_norm(x[0], weight=x[1], bias=x[2], eps=options.get("epsilon", 1e-5))
        case "LayerNormalization":
            shape = x[0].shape[options.get("axis", -1):]
            return F.layer_norm(x[0], shape, *x[1:], eps=options.get("epsilon", 1e-5))
        case "Gemm":
            a, b = (each.T if options.get(name) else each for each, name in zip(x, ["transA", "transB"]))
            product = options.get("alpha", 1.0) * (a @ b)
            return product + options.get("beta", 1.0) * x[2] if len(x) > 2 else product
        case "MatMul": return x[0] @ x[1]
        case "Attention": return attention(x, options)
        case "Softmax": return x[0].softmax(options.get("axis", -1))
        case "MaxPool" | "AveragePool": return pooled(kind, x[0], options)
        case "GlobalAveragePool": return x[0].mean((2, 3), keepdim=True)
        case "ReduceMean": return x[0].mean(axes(x, options), keepdim=bool(options.get("keepdims", 1)))
        case "ReduceSum": return x[0].sum(axes(x, options), keepdim=bool(options.get("keepdims", 1)))
        case "ReduceMax": return x[0].amax(axes(x, options), keepdim=bool(options.get("keepdims", 1)))
        case "ReduceL2": return x[0].norm(dim=axes(x, options), keepdim=bool(options.get("keepdims", 1)))
        case "Resize": return resized(x, options)
        case "Pad":
            pads = integers(x[1])
            if options.get("mode", b"constant") == b"reflect":
                assert not any(pads[:2] + pads[4:6]), "spatial pads"
                return F.pad(x[0], [pads[3], pads[7], pads[2], pads[6]], mode="reflect")
            return padded(x[0], pads, float(x[2]) if len(x) > 2 and x[2] is not None else 0.0)
        case "Reshape":
            shape = integers(x[1])
            given = x[0].shape
            return x[0].reshape([given[at] if size == 0 and not options.get("allowzero") else size for at, size in enumerate(shape)])
        case "Flatten": return x[0].flatten(options.get("axis", 1))
        case "Transpose": return x[0].permute(options["perm"])
        case "Squeeze": return x[0].squeeze(axes(x, options)) if len(x) > 1 else x[0].squeeze()
        case "Unsqueeze":
            for axis in sorted(axes(x, options)):
                x[0] = x[0].unsqueeze(axis)
            return x[0]
        case "Expand": return x[0].expand(torch.broadcast_shapes(x[0].shape, integers(x[1])))
        case "Concat": return torch.cat([each for each in x], options["axis"])
        case "Split":
            axis = options.get("axis", 0)
            if len(x) > 1 and x[1] is not None:
                return x[0].split(integers(x[1]), axis)
            return x[0].split(-(-x[0].shape[axis] // count), axis)
        case "Slice": return sliced(x)
        case "Gather":
            axis, places = options.get("axis", 0), x[1] % x[0].shape[options.get("axis", 0)]
            found = x[0].index_select(axis, places.flatten())
            return found.reshape([*x[0].shape[:axis], *places.shape, *x[0].shape[axis + 1:]])
        case "ScatterElements": return x[0].scatter(options.get("axis", 0), x[1], x[2])
        case "Shape": return torch.tensor(x[0].shape)[options.get("start", 0):options.get("end")]
        case "Range": return torch.arange(*(each.item() for each in x))
    raise ValueError(f"operator {kind} of opset {opset}")
