"""Making models: generated heads with tumours (`synth`) and the training of the first-stage networks
(`stage1`).
"""
