# GLIP-T: the architecture of (C). Its image-text data (CC3M, SBU with pseudo boxes) were never
# released; training with this file uses Objects365 and GoldG.
_base_ = './glip_swin-t_o365-goldg.py'
