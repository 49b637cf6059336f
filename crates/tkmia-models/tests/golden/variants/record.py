"""Writes the small ONNX files of this folder and the scores that onnxruntime gives them.

Recorded with torch 2.15.0, onnx 1.23.2, onnxscript 0.7.2, onnxruntime 1.31.1, numpy 2.4.6 (CPU, one
thread). Run in this folder: python record.py. The weights come from fixed seeds; exporters of other
versions write other node names.

scores.npz: `images` f32 [3, 3, 32, 32], and for each file `<name>` the scores [3, 5] that its graph
gives (of the graph as it is, a sigmoid included). `wide` images are [3, 3, 40, 56].
broken/: files that are no ResNet, or damaged.
"""

import pathlib
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.export import Dim

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).parent


class Block(nn.Module):
    def __init__(self, channels, width, stride, bottleneck, groups, dilation):
        super().__init__()
        out = 4 * width if bottleneck else width

        def conv(a, b, kernel, stride=1, groups=1, dilation=1):
            padding = dilation * (kernel // 2)
            return nn.Conv2d(a, b, kernel, stride, padding, dilation, groups, bias=False)

        if bottleneck:
            convs = [
                conv(channels, width, 1),
                conv(width, width, 3, stride, groups, dilation),
                conv(width, out, 1),
            ]
        else:
            convs = [conv(channels, width, 3, stride, dilation=dilation), conv(width, out, 3)]
        layers = []
        for each in convs:
            layers += [each, nn.BatchNorm2d(each.out_channels), nn.ReLU()]
        self.main = nn.Sequential(*layers[:-1])
        self.projection = None
        if stride != 1 or channels != out:
            self.projection = nn.Sequential(conv(channels, out, 1, stride), nn.BatchNorm2d(out))
        self.out = out

    def forward(self, x):
        shortcut = x if self.projection is None else self.projection(x)
        return torch.relu(self.main(x) + shortcut)


class Net(nn.Module):
    def __init__(self, head, depths, base, bottleneck, groups, dilate, stem, pool, ceil, normalise):
        super().__init__()
        kernel, stride = stem
        self.stem = nn.Conv2d(3, base, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(base)
        self.pool = nn.MaxPool2d(3, 2, 1, ceil_mode=ceil) if pool else nn.Identity()
        blocks, channels = [], base
        for stage, depth in enumerate(depths):
            for i in range(depth):
                last = dilate and stage == len(depths) - 1
                stride = 2 if stage > 0 and i == 0 and not last else 1
                width = base * 2**stage
                blocks.append(Block(channels, width, stride, bottleneck, groups, 2 if last else 1))
                channels = blocks[-1].out
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(channels, 5)
        self.global_pool, self.fixed_pool = nn.AdaptiveAvgPool2d(1), nn.AvgPool2d(4)
        self.dropout, self.head, self.normalise = nn.Dropout(0.5), head, normalise
        self.register_buffer("image_mean", torch.tensor([0.1, 0.2, -0.3]).view(1, 3, 1, 1))
        self.register_buffer("image_std", torch.tensor([0.6, 0.5, 0.7]).view(1, 3, 1, 1))

    def forward(self, x):
        if self.normalise:
            x = (x - self.image_mean) / self.image_std
        x = self.pool(torch.relu(self.norm(self.stem(x))))
        x = self.blocks(x)
        match self.head:
            case "flatten" | "sigmoid" | "matmul":
                x = torch.flatten(self.global_pool(x), 1)
            case "view":
                x = self.global_pool(x)
                x = x.view(x.size(0), -1)
            case "reshape":
                x = self.global_pool(x).reshape(x.shape[0], x.shape[1])
            case "fixed":
                x = self.fixed_pool(x)
                x = x.view(x.size(0), -1)
            case "mean":
                x = x.mean([2, 3])
            case "squeeze":
                x = self.global_pool(x).squeeze(-1).squeeze(-1)
        x = self.dropout(x)
        x = x @ self.fc.weight.t() + self.fc.bias if self.head == "matmul" else self.fc(x)
        return torch.sigmoid(x) if self.head == "sigmoid" else x


def net(head="flatten", depths=(1, 1), base=4, bottleneck=False, groups=1, dilate=False,
        stem=(7, 2), pool=True, ceil=False, normalise=False):
    torch.manual_seed(7)
    made = Net(head, depths, base, bottleneck, groups, dilate, stem, pool, ceil, normalise)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.2)
    return made.eval()


BATCH = {"images": {0: "n"}, "logits": {0: "n"}}
ANY = {"images": {0: "n", 2: "h", 3: "w"}, "logits": {0: "n"}}
UNFOLDED = dict(do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE)


def legacy(name, model, opset=17, axes=BATCH, **options):
    """PyTorch's TorchScript exporter."""
    export(name, model, 1, opset_version=opset, dynamic_axes=axes, dynamo=False, **options)


def dynamo(name, model, opset=18, shapes=None, external=False, **options):
    """PyTorch's newer exporter."""
    shapes = {"x": {0: Dim("batch")}} if shapes is None else shapes
    export(name, model, 2 if shapes else 1, opset_version=opset, dynamic_shapes=shapes or None, dynamo=True,
           external_data=external, **options)


def export(name, model, batch, **options):
    path = HERE / f"{name}.onnx"
    torch.onnx.export(model, (torch.zeros(batch, 3, 32, 32),), path, input_names=["images"],
                      output_names=["logits"], verbose=False, **options)
    save(name, onnx.load(path, load_external_data=False))


def save(name, model):
    """Without the doc strings and metadata, which make up half of such a small file."""
    for node in model.graph.node:
        node.ClearField("doc_string")
        del node.metadata_props[:]
    del model.graph.value_info[:]
    del model.metadata_props[:]
    onnx.save(model, HERE / f"{name}.onnx")


def edit(name, source, change):
    model = onnx.load(HERE / f"{source}.onnx")
    change(model, model.graph)
    save(name, model)


def array(graph, name):
    return numpy_helper.to_array(next(i for i in graph.initializer if i.name == name))


def replace_initializers(graph, change):
    """`change` gives the initialiser that replaces each, or None to drop it."""
    changed = [change(i) for i in graph.initializer]
    del graph.initializer[:]
    graph.initializer.extend(i for i in changed if i is not None)


def prepend(graph, nodes):
    kept = list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes + kept)


def first(graph, op):
    return next(n for n in graph.node if n.op_type == op)


def set_attribute(node, **values):
    for name, value in values.items():
        kept = [a for a in node.attribute if a.name != name]
        del node.attribute[:]
        node.attribute.extend(kept + [helper.make_attribute(name, value)])


# Changes that leave the scores as they are, or nearly.


def sum_for_add(_, graph):
    for node in graph.node:
        node.op_type = "Sum" if node.op_type == "Add" else node.op_type


def identities(_, graph):
    """An Identity behind every Relu, and around the first weight."""
    nodes = []
    for node in graph.node:
        nodes.append(node)
        if node.op_type == "Relu":
            out, node.output[0] = node.output[0], node.output[0] + "_raw"
            nodes.append(helper.make_node("Identity", [out + "_raw"], [out]))
    weight = first(graph, "Conv").input
    nodes.insert(0, helper.make_node("Identity", [weight[1]], ["stem_weight"]))
    weight[1] = "stem_weight"
    del graph.node[:]
    graph.node.extend(nodes)


def constants_as_nodes(_, graph):
    nodes = [helper.make_node("Constant", [], [i.name], value=i) for i in graph.initializer]
    del graph.initializer[:]
    prepend(graph, nodes)


def half_weights(_, graph):
    nodes = []

    def change(i):
        nodes.append(helper.make_node("Cast", [i.name + "_f16"], [i.name], to=TensorProto.FLOAT))
        return numpy_helper.from_array(numpy_helper.to_array(i).astype(np.float16), i.name + "_f16")

    replace_initializers(graph, change)
    prepend(graph, nodes)


def bfloat_weights(_, graph):
    """Through the typed field, which holds bit patterns."""
    nodes = []

    def change(i):
        bits = numpy_helper.to_array(i).astype(np.float32).view(np.uint32) >> 16
        nodes.append(helper.make_node("Cast", [i.name + "_bf16"], [i.name], to=TensorProto.FLOAT))
        tensor = TensorProto(name=i.name + "_bf16", data_type=TensorProto.BFLOAT16, dims=i.dims)
        tensor.int32_data.extend(int(b) for b in bits.flatten())
        return tensor

    replace_initializers(graph, change)
    prepend(graph, nodes)


def half_inside(_, graph):
    """Images and scores in 32 bits, all between in 16, as converters to float16 write it."""
    half = lambda i: numpy_helper.from_array(numpy_helper.to_array(i).astype(np.float16), i.name)
    replace_initializers(graph, half)
    first(graph, "Conv").input[0] = "images_f16"
    graph.node[-1].output[0] = "logits_f16"
    prepend(graph, [helper.make_node("Cast", ["images"], ["images_f16"], to=TensorProto.FLOAT16)])
    graph.node.append(helper.make_node("Cast", ["logits_f16"], ["logits"], to=TensorProto.FLOAT))


def typed_fields(_, graph):
    def change(i):
        values = numpy_helper.to_array(i)
        return helper.make_tensor(i.name, i.data_type, i.dims, values.flatten().tolist())

    replace_initializers(graph, change)


def constant_of_shape(_, graph):
    """Weights as the `onnx` package's light models have them: one value each."""
    nodes = []

    def change(i):
        value = numpy_helper.to_array(i).flatten()[:1]
        value = numpy_helper.from_array(value + np.float32(0.01))
        nodes.append(helper.make_node("ConstantOfShape", [i.name + "_shape"], [i.name], value=value))
        shape = np.array(i.dims, np.int64)
        return numpy_helper.from_array(shape, i.name + "_shape")

    replace_initializers(graph, change)
    prepend(graph, nodes)


def unnamed(_, graph):
    for node in graph.node:
        node.ClearField("name")


def scaled_gemm(_, graph):
    """alpha, beta, weights that aren't transposed, and a scalar bias."""
    gemm = first(graph, "Gemm")
    weight, bias = array(graph, gemm.input[1]), array(graph, gemm.input[2])
    replace = {
        gemm.input[1]: numpy_helper.from_array(weight.T.copy(), gemm.input[1]),
        gemm.input[2]: numpy_helper.from_array(bias[:1], gemm.input[2]),
    }
    replace_initializers(graph, lambda i: replace.get(i.name, i))
    set_attribute(gemm, alpha=0.5, beta=3.0, transB=0)


def no_bias(_, graph):
    del first(graph, "Gemm").input[2]


def asymmetric_pads(_, graph):
    """As TensorFlow pads a strided convolution and its pooling."""
    set_attribute(first(graph, "Conv"), pads=[2, 2, 3, 3])
    set_attribute(first(graph, "MaxPool"), pads=[0, 0, 1, 1])


def valid_padding(_, graph):
    for node in graph.node:
        kernel = next((a.ints for a in node.attribute if a.name == "kernel_shape"), None)
        if node.op_type == "Conv" and list(kernel) == [1, 1]:
            kept = [a for a in node.attribute if a.name != "pads"]
            del node.attribute[:]
            node.attribute.extend(kept)
            set_attribute(node, auto_pad="VALID")


def affine_chain(_, graph):
    """images · 0.5 + 0.5, from 1 minus it, then a batch norm: all before the stem."""
    for name, value in dict(half=0.5, one=1.0).items():
        graph.initializer.append(numpy_helper.from_array(np.float32(value), name))
    for name, values in dict(g=[1.5, 2, 1], b=[0.1, 0, -0.1], m=[0.4, 0.5, 0.6], v=[0.2, 0.3, 0.1]).items():
        graph.initializer.append(numpy_helper.from_array(np.array(values, np.float32), name))
    first(graph, "Conv").input[0] = "prepared"
    prepend(graph, [
        helper.make_node("Mul", ["half", "images"], ["scaled"]),
        helper.make_node("Add", ["scaled", "half"], ["shifted"]),
        helper.make_node("Sub", ["one", "shifted"], ["inverted"]),
        helper.make_node("BatchNormalization", ["inverted", "g", "b", "m", "v"], ["prepared"], epsilon=0.01),
    ])


def frozen_norm(_, graph):
    """A Mul and an Add per channel behind every convolution."""
    nodes = []
    for at, node in enumerate(graph.node):
        nodes.append(node)
        if node.op_type == "Conv":
            out = node.output[0]
            node.output[0] = out + "_raw"
            channels = array(graph, node.input[1]).shape[0]
            ramp = np.linspace(0.5, 1.5, channels, dtype=np.float32).reshape(1, channels, 1, 1)
            graph.initializer.append(numpy_helper.from_array(ramp, f"scale{at}"))
            graph.initializer.append(numpy_helper.from_array(ramp[0] - 1, f"shift{at}"))
            nodes.append(helper.make_node("Mul", [out + "_raw", f"scale{at}"], [out + "_scaled"]))
            nodes.append(helper.make_node("Add", [f"shift{at}", out + "_scaled"], [out]))
    del graph.node[:]
    graph.node.extend(nodes)


# Files that must be refused.


def broken_vgg():
    layers = []
    for a, b in [(3, 4), (4, 8)]:
        layers += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.Conv2d(b, b, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    torch.manual_seed(7)
    vgg = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * 64, 5))
    legacy("broken/vgg", vgg.eval())


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.grow = nn.Conv2d(3, 4, 7, 2, 3), nn.Conv2d(4, 4, 3, padding=1)
        self.norm, self.fc = nn.BatchNorm2d(4), nn.Linear(8, 5)

    def forward(self, x):
        x = torch.nn.functional.max_pool2d(torch.relu(self.stem(x)), 3, 2, 1)
        x = torch.cat([x, self.grow(torch.relu(self.norm(x)))], 1)
        return self.fc(x.mean([2, 3]))


def broken_dense():
    torch.manual_seed(7)
    legacy("broken/densenet", Dense().eval())


def nan_weight(_, graph):
    name = first(graph, "Gemm").input[1]
    values = array(graph, name).copy()
    values[2, 1] = np.nan
    replace_initializers(graph, lambda i: numpy_helper.from_array(values, name) if i.name == name else i)


def missing_initialiser(_, graph):
    name = first(graph, "Conv").input[2]
    replace_initializers(graph, lambda i: None if i.name == name else i)


def wrong_rank(_, graph):
    name = first(graph, "Conv").input[1]
    flat = numpy_helper.from_array(array(graph, name).reshape(4, -1), name)
    replace_initializers(graph, lambda i: flat if i.name == name else i)


def relu6(_, graph):
    node = [n for n in graph.node if n.op_type == "Relu"][2]
    node.op_type = "Clip"


def softmax(_, graph):
    graph.node[-1].output[0] = "raw"
    graph.node.append(helper.make_node("Softmax", ["raw"], ["logits"], name="softmax"))


def same_padding(_, graph):
    conv = first(graph, "Conv")
    kept = [a for a in conv.attribute if a.name != "pads"]
    del conv.attribute[:]
    conv.attribute.extend(kept)
    set_attribute(conv, auto_pad="SAME_UPPER")


def training_norm(_, graph):
    set_attribute(first(graph, "BatchNormalization"), training_mode=1)


def two_inputs(_, graph):
    graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["n", 1]))


def grey_images(_, graph):
    graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1


def integer_images(_, graph):
    graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8


def features_only(_, graph):
    graph.output[0].name = first(graph, "GlobalAveragePool").output[0]


def part_of_the_image(_, graph):
    set_attribute(first(graph, "AveragePool"), kernel_shape=[2, 2])


def absurd_shape(_, graph):
    weight = first(graph, "Conv").input[1]
    replace_initializers(graph, lambda i: None if i.name == weight else i)
    graph.initializer.append(numpy_helper.from_array(np.full(4, 2**15, np.int64), "shape"))
    prepend(graph, [helper.make_node("ConstantOfShape", ["shape"], [weight])])


def negative_variance(_, graph):
    name = first(graph, "BatchNormalization").input[4]
    values = numpy_helper.from_array(-np.ones(4, np.float32), name)
    replace_initializers(graph, lambda i: values if i.name == name else i)


def main():
    (HERE / "broken").mkdir(exist_ok=True)
    for opset in (11, 13, 17, 20):
        legacy(f"legacy-{opset}", net(), opset)
    for opset in (11, 17, 20):
        inputs = dict(keep_initializers_as_inputs=True)
        legacy(f"legacy-bn-{opset}", net(normalise=True), opset, **UNFOLDED, **inputs)
    legacy("legacy-any-size", net(), axes=ANY)
    legacy("legacy-fixed-batch", net("view"), 13, axes=None)
    legacy("legacy-view-11", net("view"), 11)
    legacy("legacy-reshape-11", net("reshape"), 11, do_constant_folding=False)
    legacy("legacy-average-pool", net("fixed"), 12)
    legacy("legacy-mean-13", net("mean"), 13)
    legacy("legacy-mean-18", net("mean"), 18)
    legacy("legacy-squeeze-11", net("squeeze"), 11)
    legacy("legacy-squeeze-13", net("squeeze"), 13)
    legacy("legacy-matmul-11", net("matmul"), 11, do_constant_folding=False)
    legacy("legacy-sigmoid", net("sigmoid", bottleneck=True, base=2, normalise=True))
    legacy("legacy-small-stem", net(depths=(2, 1), base=2, stem=(3, 1), pool=False))
    legacy("legacy-groups-dilation", net(depths=(1, 1, 1), base=2, bottleneck=True, groups=2, dilate=True))
    legacy("legacy-ceil", net(ceil=True), axes=ANY)
    dynamo("dynamo-18", net())
    dynamo("dynamo-20", net("squeeze", bottleneck=True, base=2), 20)
    dynamo("dynamo-fixed-batch", net("view"), shapes={})
    any_size = {"x": {0: Dim("batch"), 2: Dim("h"), 3: Dim("w")}}
    dynamo("dynamo-any-size", net("reshape", normalise=True), shapes=any_size)
    dynamo("dynamo-unoptimised", net("matmul", normalise=True), optimize=False)
    dynamo("dynamo-external", net(normalise=True), external=True)

    changes = [sum_for_add, identities, constants_as_nodes, half_weights, bfloat_weights, half_inside,
               typed_fields, constant_of_shape, unnamed, scaled_gemm, no_bias, asymmetric_pads,
               valid_padding, affine_chain, frozen_norm]
    for change in changes:
        edit("edit-" + change.__name__.replace("_", "-"), "legacy-17", change)

    broken_vgg()
    broken_dense()
    damage = {
        "legacy-17": [nan_weight, missing_initialiser, wrong_rank, relu6, softmax, same_padding,
                      two_inputs, grey_images, integer_images, features_only, absurd_shape],
        "legacy-bn-17": [training_norm, negative_variance],
        "legacy-average-pool": [part_of_the_image],
    }
    for source, changes in damage.items():
        for change in changes:
            edit("broken/" + change.__name__.replace("_", "-"), source, change)

    generator = np.random.default_rng(7)
    images = generator.uniform(-1, 1, (3, 3, 32, 32)).astype(np.float32)
    wide = generator.uniform(-1, 1, (3, 3, 40, 56)).astype(np.float32)
    recorded = {"images": images, "wide": wide}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    for path in sorted(HERE.glob("*.onnx")):
        session = onnxruntime.InferenceSession(path, options)
        fixed = session.get_inputs()[0].shape[0] == 1
        batch = lambda x: [session.run(None, {"images": part})[0] for part in (np.split(x, 3) if fixed else [x])]
        recorded[path.stem] = np.concatenate(batch(images))
        if not isinstance(session.get_inputs()[0].shape[2], int):
            recorded[path.stem + "/wide"] = np.concatenate(batch(wide))
    np.savez_compressed(HERE / "scores.npz", **recorded)


if __name__ == "__main__":
    main()
