# ODinW-35 with a text for each class: its name and what Wiktionary and GPT-3 say of it (K-LITE,
# arXiv 2204.09222). Weights are the authors' glip_a_tiny_o365_knowledge.pth; the file is in the
# folder knowledge of their code. It says how classes are written, so data sets have no prompts.
_base_ = [
    '../_base_/models/glip_swin-t-a.py', '../_base_/benchmarks/odinw35.py',
    '../_base_/test_runtime.py'
]

model_name = 'glip_swin-t-a_o365-knowledge'
benchmark = 'odinw35_knowledge'
model = dict(
    class_texts=dict(
        knowledge='data/odinw/odinw_benchmark35_knowledge_and_gpt3.yaml',
        knowledge_type=['def_wiki', 'gpt3'],
        max_definitions=5,
        aggregate='first'))
test_dataloader = dict(
    dataset=dict(datasets=[
        dict(d, caption_prompt=None) for d in _base_.test_dataloader.dataset.datasets]))
