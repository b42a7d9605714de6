"""The published DOSTransformer written down as its code computes it: the reference of the tests and the benchmark.

Every edge is joined to its two atoms before its MLP, atoms and tokens are laid out as (length, B, d), the softmax is in
single precision, the two branches run one after the other, and all that lies between is kept for the backward pass.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.dos.attention import AttentionStack, PlainBlock
from models.dos.graph_network import GraphLayer, PublishedGraphNetwork
from models.dos.transformer import DosPrediction, DosTransformer
from models.graph.batch import CrystalBatch


class DenseDosTransformer(nn.Module):
    """The same weights as a model that `DosTransformer.published` gives."""

    def __init__(self, model: DosTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, crystals: CrystalBatch, crystal_system: Tensor, global_inputs: Tensor | None = None
    ) -> DosPrediction:
        """Predict as the published code does."""
        model = self.model
        nodes, batch = self.encode(crystals)
        sums = torch.zeros(crystals.n_crystals, nodes.shape[1], dtype=nodes.dtype).index_add(0, batch, nodes)
        if model.global_encoder is not None:
            sums = torch.cat([model.global_encoder(global_inputs), sums], dim=1)
        crystal = model.crystal_map(sums)
        atoms = nn.utils.rnn.pad_sequence([nodes[batch == index] for index in range(crystals.n_crystals)])
        tokens = model.energies.table[:, None].expand(-1, crystals.n_crystals, -1)  # (M, B, d)
        gathered = self.attend(model.gather, tokens, atoms)
        crystal = crystal.expand(len(gathered), -1, -1)
        prompt = model.prompts(crystal_system).expand(len(gathered), -1, -1)
        spectra = []
        for fuse, parts in (
            (model.fuse_global, [gathered, crystal]),
            (model.fuse_system, [gathered, crystal, prompt]),
        ):
            states = F.leaky_relu(fuse(torch.cat(parts, dim=2)))
            states = self.attend(model.mix, states, states)
            states = self.attend(model.refine, states, atoms)
            spectra.append(model.output(states).squeeze(2).T)
        return DosPrediction(*spectra)

    def encode(self, crystals: CrystalBatch) -> tuple[Tensor, Tensor]:
        """Nodes (n_nodes, d) and their crystals; edges and first features are those of the network itself."""
        network = self.model.graph_encoder
        assert isinstance(network, PublishedGraphNetwork)
        nodes, batch, source, target, edges = network.graph(crystals)
        nodes, edges = network.node_encoder(nodes), network.edge_encoder(edges)
        for layer in network.layers:
            assert isinstance(layer, GraphLayer)
            joined = torch.cat([nodes[source], nodes[target], edges], dim=1)
            hidden = layer.edge_activation(layer.edge_norm(layer.edge_expand(joined)))
            change = layer.edge_contract(hidden)
            messages = torch.zeros_like(nodes).index_add(0, target, change)
            if network.directional:
                messages = messages / torch.bincount(target, minlength=len(nodes)).clamp_min(1)[:, None]
            nodes = nodes + layer.node_mlp(torch.cat([nodes, messages], dim=1))
            edges = edges + change
        return nodes, batch

    def attend(self, stack: AttentionStack, states: Tensor, source: Tensor) -> Tensor:
        """States (L, B, d) of a stack that attends to its source (S, B, d)."""
        for block in stack.blocks:
            assert isinstance(block, PlainBlock)
            queries, keys = block.norm(states).transpose(0, 1), block.norm(source).transpose(0, 1)
            logits = torch.bmm(queries / queries.shape[2] ** 0.5, keys.transpose(1, 2))
            weights = F.softmax(logits.float(), dim=2).to(logits.dtype)
            states = states + torch.bmm(weights, keys).transpose(0, 1)
            states = states + block.contract(F.relu(block.expand(block.feed_forward_norm(states))))
        normed: Tensor = stack.norm(states)
        return normed
