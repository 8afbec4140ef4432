"""BERT-family tokenizer and encoder."""

import contextlib
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import MMLogger
from mmengine.model import BaseModule
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedModel

from glip_mm.compat import load_tokenizer, quiet_transformers
from glip_mm.models.bounded_cache import BoundedCache
from glip_mm.ops.number_format import without_autocast
from glip_mm.registry import MODELS
from glip_mm.text.language_model_files import ASSETS, resolve_language_model

from .text_features import AGGREGATES, TextFeatures, TokenBatch

#: Values of each tensor that are compared with those of earlier, see
#: :meth:`BertLanguageModel.forget_if_changed`.
SAMPLED_VALUES = 64
#: Whole numbers of as many bytes as those of a weight.
_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
#: The language model of :meth:`BertLanguageModel.unchanging`, in this thread.
_UNCHANGING: ContextVar[Any] = ContextVar('_UNCHANGING', default=None)
#: Attributes of peft's layers that switch their adapters, besides weights.
_ADAPTER_SWITCHES = ('_disable_adapters', '_active_adapter', 'merged_adapters', 'scaling')
# a tokenizer changes its own settings from call to call, and fails if two threads do so at once
_tokenizing = threading.Lock()


def _arrangement(module: nn.Module) -> tuple:
    """Return what decides beside weights what a module computes; another one if that changes."""
    return (id(module), *module._forward_hooks, *module._forward_pre_hooks,
            *(str(module.__dict__[k]) for k in _ADAPTER_SWITCHES if k in module.__dict__))


def without_pooler(make: Callable[..., PreTrainedModel], source: Any) -> PreTrainedModel:
    """Make an encoder by ``AutoModel``, without the pooler that some of the family have."""
    try:
        return make(source, add_pooling_layer=False)
    except TypeError as error:
        if 'add_pooling_layer' not in str(error):
            raise
        return make(source)


@MODELS.register_module()
class BertLanguageModel(BaseModule):
    """Encodes captions token by token with an encoder of the BERT family.

    That is a model of ``transformers`` which reads a text in both directions and was trained to
    fill in masked words: BERT, DistilBERT, ELECTRA, RoBERTa, XLM-R, MPNet, ALBERT, DeBERTa.

    Args:
        name: Folder or hub name; sets tokenizer, encoder and, through :attr:`layer_config`, the
            text layers of the fusion neck.
        pretrained: Load the encoder's own weights in :meth:`init_weights`, that is when training
            starts. The constructor needs configuration and vocabulary only: inference takes the
            weights from the detector's checkpoint.
        frozen: No gradients, no dropout, features cached per caption.
        max_tokens: Tokens per caption, [CLS] and [SEP] included; longer ones are cut.
        num_layers: Features are the mean of this many last layers (1 in all released models,
            which then divide by it once more).
        depth: Use the encoder's first so many layers; default all of them. Words of lower layers
            know less of their neighbours.
        mask_special: Treat [CLS] and [SEP] as padding (released models do not).
        with_cp: Gradient checkpointing of the encoder.
        cache_tokens: Most tokens kept in the cache (float32: ``4 D`` bytes each).

    Raises:
        OSError: If the model or its tokenizer cannot be loaded.
        ValueError: If it is no such encoder, or has fewer layers or positions than asked for.

    Text is cropped to its longest real length: padded tokens change nothing for the others.
    """

    def __init__(self, name: str = 'bert-base-uncased', pretrained: bool = True,
                 frozen: bool = False, max_tokens: int = 256, num_layers: int = 1,
                 depth: int | None = None, mask_special: bool = False, with_cp: bool = False,
                 cache_tokens: int = 65536, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.name, self.pretrained, self.frozen = name, pretrained, frozen
        self.max_tokens, self.num_layers, self.mask_special = max_tokens, num_layers, mask_special
        source = resolve_language_model(name)
        try:
            self.tokenizer = load_tokenizer(source)
            # without the word transformers would ask at the terminal whether to run code
            config = AutoConfig.from_pretrained(source, trust_remote_code=False)
            available = config.num_hidden_layers
            config.num_hidden_layers = min(depth or available, available)
        except (OSError, ValueError, AttributeError) as error:
            raise self._not_found(error) from error
        if config.is_encoder_decoder or self.tokenizer.mask_token_id is None:
            raise ValueError(
                f"language_model.name '{name}' is of type '{config.model_type}', which "
                f"{'has a decoder' if config.is_encoder_decoder else 'has no [MASK] token'}: each "
                'word must see all others, as in encoders of the BERT family (BERT, DistilBERT, '
                'ELECTRA, RoBERTa, XLM-R, MPNet, ALBERT, DeBERTa)')
        self.encoder = without_pooler(AutoModel.from_config, config)
        if depth is not None and not 1 <= depth <= available:
            raise ValueError(f"language_model.depth={depth} of '{name}', which has {available} "
                             f'layers: choose 1 to {available}, or leave it out')
        positions = getattr(getattr(self.encoder, 'embeddings', None), 'position_embeddings', None)
        if isinstance(positions, torch.nn.Embedding):
            # RoBERTa and its kin begin to count behind the padding's id
            room = positions.num_embeddings - (
                0 if positions.padding_idx is None else positions.padding_idx + 1)
            if max_tokens > room:
                raise ValueError(f"language_model.max_tokens={max_tokens} of '{name}', which has "
                                 f'{room} positions: choose at most that many')
        self.encoder.float()
        if with_cp:
            self.encoder.gradient_checkpointing_enable(
                gradient_checkpointing_kwargs=dict(use_reentrant=False))
        if frozen:
            self.encoder.requires_grad_(False)
        self._cache = BoundedCache(cache_tokens)
        self._versions: tuple = ()  # of the weights that the cache was computed with
        self._values: Tensor | None = None  # some of them
        self._untrained = pretrained  # until init_weights or a checkpoint brings the weights
        self.train(self.training)

    def _not_found(self, error: Exception) -> OSError:
        return OSError(
            f"language_model.name '{self.name}' could not be loaded "
            f"({str(error).splitlines()[0]}): give a folder with the model's files or download it "
            'first; language_model.pretrained=False does without its weights')

    def init_weights(self) -> None:
        """Load the pretrained encoder, if wanted. Raises OSError if it cannot be found."""
        if self.pretrained:
            folder = resolve_language_model(self.name)
            # the packaged folders of hub models hold no weights
            source = self.name if Path(folder).parent == ASSETS else folder
            try:
                with quiet_transformers():
                    weights = without_pooler(AutoModel.from_pretrained, source)
            except (OSError, ValueError) as error:
                raise self._not_found(error) from error
            wanted = self.encoder.state_dict()
            # adapters are in no pretrained model: they keep their values
            self.encoder.load_state_dict({**wanted, **{
                k: v for k, v in weights.float().state_dict().items() if k in wanted}})
            self.clear_cache()
        self._untrained, self._is_init = False, True

    @property
    def language_dim(self) -> int:
        """Width ``D`` of the features."""
        return self.encoder.config.hidden_size

    @property
    def vocab_size(self) -> int:
        """Number of token ids, which a masked-language head predicts."""
        return self.encoder.config.vocab_size

    @property
    def layer_config(self) -> dict[str, object]:
        """Arguments of a fusion text layer shaped like one layer of this encoder."""
        config = self.encoder.config

        def value(default: float, *names: str) -> float:
            return next((getattr(config, name) for name in names if hasattr(config, name)), default)

        # the second names are DistilBERT's, whose norms are all BERT's
        return dict(language_dim=config.hidden_size, num_heads=config.num_attention_heads,
                    intermediate_dim=value(4 * config.hidden_size, 'intermediate_size',
                                           'hidden_dim'),
                    dropout=value(0.1, 'hidden_dropout_prob', 'dropout'),
                    eps=value(1e-12, 'layer_norm_eps'))

    def train(self, mode: bool = True) -> 'BertLanguageModel':
        """Set the mode, and forget cached features that the coming steps may change.

        A frozen encoder stays in evaluation mode.
        """
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        else:
            self.clear_cache()
        return self

    def clear_cache(self) -> None:
        """Forget all encoded captions."""
        self._cache.clear()

    def forget_if_changed(self, read: bool = True) -> None:
        """Forget all encoded captions if the weights are others than before.

        A change in place by PyTorch's operators is always noticed, and so are other modules, hooks
        and adapters that are switched. What goes past them (``parameter.data.copy_()``, as averages
        of weights are swapped in) shows in the values alone, of which some of each tensor are
        compared, and every row of the table of words, of which some may be set: reading them waits
        for a GPU. After a change of a few values of another tensor in this way, call
        :meth:`clear_cache`.

        Args:
            read: Whether to compare values, too.
        """
        weights = list(self.encoder.parameters())
        versions = (tuple((w.data_ptr(), 0 if w.is_inference() else w._version) for w in weights),
                    tuple(map(_arrangement, self.encoder.modules())))
        changed = versions != self._versions
        if read:
            with torch.no_grad():
                # a NaN equals itself as an integer
                values = torch.cat([
                    w.detach().reshape(-1)[::max(1, w.numel() // SAMPLED_VALUES)].float()
                    for w in weights]).view(torch.int32)
                words: Any = self.encoder.get_input_embeddings()
                table = words.weight.detach()
                rows = table.view(_BITS[table.element_size()]).sum(-1, dtype=torch.int32)
                values = torch.cat([values, rows.to(values.device)])
            before = self._values
            changed |= before is None or before.device != values.device or not (
                torch.equal(before, values))
            self._values = values
        if changed:
            self.clear_cache()
            self._versions = versions

    @contextlib.contextmanager
    def unchanging(self) -> Iterator[None]:
        """Compare the weights once, and not again at each text inside the context.

        For a prediction in many chunks. Weights are taken to stay as they are in this thread; what
        other threads see does not change.
        """
        if _UNCHANGING.get() is not self:
            self.forget_if_changed()
        token = _UNCHANGING.set(self)
        try:
            yield
        finally:
            _UNCHANGING.reset(token)

    def _apply(self, fn, *args, **kwargs):
        # moving or casting the model invalidates what it computed before
        if hasattr(self, '_cache'):
            self.clear_cache()
        return super()._apply(fn, *args, **kwargs)

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        self.clear_cache()
        self._untrained = False
        super()._load_from_state_dict(*args, **kwargs)

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text's tokens, without [CLS] and [SEP]."""
        if not texts:
            return []
        with _tokenizing:
            return self.tokenizer(list(texts), add_special_tokens=False,
                                  verbose=False)['input_ids']

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, without [CLS] and [SEP]."""
        return [len(ids) for ids in self.token_ids(texts)]

    def offsets(self, caption: str) -> np.ndarray:
        """Return the characters of each token of a caption, ``[L, 2]``; special tokens: (0, 0)."""
        with _tokenizing:
            encoded = self.tokenizer(caption, max_length=self.max_tokens, truncation=True,
                                     return_offsets_mapping=True, verbose=False)
        return np.asarray(encoded['offset_mapping'])

    def tokenize(self, captions: Sequence[str]) -> TokenBatch:
        """Tokenize and pad to the longest.

        Args:
            captions: ``B`` captions.

        Returns:
            Tokens on the encoder's device.
        """
        with _tokenizing:
            encoded = self.tokenizer(
                list(captions), max_length=self.max_tokens, truncation=True, padding='longest',
                return_offsets_mapping=True, return_special_tokens_mask=self.mask_special)
        device = next(self.encoder.parameters()).device
        mask = torch.tensor(encoded['attention_mask'], dtype=torch.bool)
        offsets = [np.asarray(o)[:n] for o, n in zip(encoded['offset_mapping'],
                                                     mask.sum(dim=1).tolist())]
        if self.mask_special:
            mask &= ~torch.tensor(encoded['special_tokens_mask'], dtype=torch.bool)
        ids = torch.tensor(encoded['input_ids'], dtype=torch.long)
        return TokenBatch(ids.to(device), mask.to(device), offsets)

    def forward(self, input_ids: Tensor, mask: Tensor) -> TextFeatures:
        """Encode token ids.

        Args:
            input_ids: ``[B, L]``.
            mask: ``[B, L]`` bool.

        Returns:
            Features ``[B, L, D]``.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            deep = self.num_layers > 1
            out = self.encoder(input_ids=input_ids, attention_mask=mask.long(),
                               output_hidden_states=deep)
            hidden = out.last_hidden_state
            features = hidden
            if deep:
                # the published code takes the mean and divides by the count once more
                layers = torch.stack(out.hidden_states[-self.num_layers:])
                features = layers.mean(dim=0) / self.num_layers
        return TextFeatures(hidden, features * mask[..., None], mask)

    @property
    def _constant(self) -> bool:
        """Return True if features stay valid until the next change of mode or weights."""
        return self.frozen or not (self.training or torch.is_grad_enabled())

    def encode(self, captions: Sequence[str]) -> TextFeatures:
        """Encode captions, each distinct one once; frozen or evaluated ones come from a cache.

        Args:
            captions: ``B`` captions, repetitions allowed.

        Returns:
            Features ``[B, L, D]`` with ``L`` the longest of these captions.
        """
        self._warn_if_untrained()
        distinct = list(dict.fromkeys(captions))
        if self._constant and self.num_layers == 1 and not self.mask_special:
            rows = list(self._remembered(distinct).values())
            hidden = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
            lengths = torch.tensor([len(r) for r in rows]).to(hidden.device, non_blocking=True)
            mask = torch.arange(hidden.shape[1], device=hidden.device) < lengths[:, None]
            text = TextFeatures(hidden, hidden, mask)
        else:
            text = self(*self.tokenize(distinct)[:2])
        if len(distinct) < len(captions):
            position = {caption: i for i, caption in enumerate(distinct)}
            index = torch.tensor([position[c] for c in captions]).to(text.mask.device,
                                                                     non_blocking=True)
            text = TextFeatures(*(t[index] for t in text))
        return text

    def encode_whole(self, texts: Sequence[str], aggregate: str = 'first',
                     batch_size: int = 64) -> Tensor:
        """Encode each text as one vector; frozen or evaluated ones come from the cache, too.

        Args:
            texts: ``T`` texts, repetitions allowed.
            aggregate: One of :data:`AGGREGATES`.
            batch_size: Texts that go through the encoder together in training.

        Returns:
            ``[T, D]``.
        """
        self._warn_if_untrained()
        distinct = list(dict.fromkeys(texts))
        if self._constant:
            vectors = self._remembered(distinct, aggregate)
            return torch.cat([vectors[text] for text in texts])
        found: dict[str, Tensor] = {}
        # those of about the same length together need little padding
        by_length = sorted(distinct, key=len)
        for start in range(0, len(by_length), batch_size):
            group = by_length[start:start + batch_size]
            found.update(zip(group, AGGREGATES[aggregate](self(*self.tokenize(group)[:2]))))
        return torch.stack([found[text] for text in texts])

    def _warn_if_untrained(self) -> None:
        if self._untrained:
            self._untrained = False
            MMLogger.get_current_instance().warning(
                f"the pretrained weights of language model '{self.name}' were not loaded: call "
                'init_weights() of the model (training does) or load a checkpoint')

    def _remembered(self, texts: Sequence[str], aggregate: str | None = None
                    ) -> dict[str, Tensor]:
        """Return the hidden states ``[l, D]`` of distinct texts, or one vector ``[1, D]`` each.

        Each text goes through the encoder alone. In a batch the last bits would depend on the
        texts beside it, and a resumed training, which meets a text in another batch for the first
        time, would differ from one that was not interrupted.
        """
        if _UNCHANGING.get() is not self:
            # a read waits for a GPU: there, the detector compares values, once for each image
            on_cpu = next(self.encoder.parameters()).device.type == 'cpu'
            self.forget_if_changed(read=on_cpu)
        found: dict[str, Tensor] = {}
        for text in texts:
            key: Hashable = (aggregate, text)
            features = self._cache.get(key)
            if features is None:
                ids, mask, _ = self.tokenize([text])
                with torch.no_grad(), without_autocast(mask.device.type):
                    encoded = self(ids, mask)
                    features = (encoded.hidden[0] if aggregate is None
                                else AGGREGATES[aggregate](encoded))
                self._cache.put(key, features, len(features))
            found[text] = features
        return found
