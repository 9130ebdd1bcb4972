"""Every setting of one method alone, its default and its meaning, by the method's name."""

from typing import Any

METHODS: dict[str, dict[str, Any]] = {
    "mkcnet": {
        "row": "second_order",  # vanilla | multitask | no_meta | first_order | second_order
        "psi": 5,  # outputs of a joint class (one grade with one diagnosis)
        "entropy": 0.2,  # weight of the mean soft label's negative entropy
        "meta_lr": 1e-3,  # of the Meta Learner; the schedule is that of optim
        "alternate": "step",  # step: both stages on every batch | epoch: an epoch each, in turn
        "way": "nested",  # second_order: nested gradients | forward (equal, faster; not resnets)
        "eps": 0.01,  # first_order: reach of the central difference
        "pool_before_attention": False,  # True: the released layout; False: the paper's
        "adjust": 0.0,  # logit adjustment of the diagnosis by this times the log of the prior
        "remat": False,  # blocks are computed again instead of kept: less memory, slower (vgg16)
    },
    "multitask": {
        "heads": (),  # any of quality, ungradable, details, diagnosis; (): all the data has
        "pseudo": "hard",  # labels from stored probabilities: hard | soft | masked
        "tau": 0.2,  # masked: ignore 0.5 - tau < p < 0.5 + tau
        "freeze_trunk": False,  # only the heads learn, on running statistics
    },
    "pretrain": {
        "dim": 192,  # channels of a token of the encoder
        "depth": 6,  # blocks
        "heads": 3,
        "patch": 8,  # pixels
        "mask": 0.75,  # share of hidden patches
        "decoder_dim": 96,
        "decoder_depth": 2,
        "decoder_heads": 3,
    },
    "vessels": {
        "architecture": "unet",  # unet | rrwnet | wnet
        "levels": 4,  # resolutions of each U-Net
        "base": 12,  # channels of its first level
        "norm": True,  # batch normalisation; the published RRWNet has none, a W-Net always has it
        "iterations": 5,  # rrwnet: passes of the second U-Net after its first one
        "flatten": 0.0,  # > 0: sees local optical density of green alone; pixels of surroundings
        "dice": 0.5,  # weight of the soft Dice loss beside cross-entropy
    },
    "inpaint": {
        "side": 256,  # pixels the network sees; data.side are those of the stored vessel maps
        "base": 64,  # channels of its first level
        "levels": 5,  # resolutions
        "crop": True,  # crops, and with them flips and rotations
        "floor": 50.0,  # in use, pixels of no more than this grey level are black; below 0: off
        "grid": 16,  # cells along an edge of the labels
        "measure": "added",  # of anomaly: added (published) | lost (share of what is expected)
        "compat": False,  # labels of 14 x 14 cells out of 16 x 16, as the published ones were taken
        "threshold": 0.02,  # of anomaly; fitted anew for every network (fit stage)
        # Of the fit stage: share of the cells it is given that its threshold calls bad. Good maps:
        # 1 %; published for MSHF: 9.45 %. 0: `threshold` stays.
        "flagged": 0.01,
        "field": True,  # cells outside the field have no label; published: one like all others
        # Maps are pictures of 8 bits until the network sees them: a crop's ellipse is cut out
        # before resizing, and resized values are rounded (published). False: neither.
        "as_pictures": False,
    },
    "adapter": {
        # factor on the loss of bad cells; published: 20 and 9.58, the second being how many others
        # there are for each; 0: that number, of the training photographs
        "pos_weight": 9.58,
        "labels": "bad",  # bad (what inpainting says) | known (the photographs' own truth, `map`)
        # cells of a batch, shuffled over all photographs (published: 4096); 0: a batch holds all
        # cells of train.batch photographs
        "cells": 0,
        "field": True,  # cells outside the field are no examples; published: they are, not bad
        "standardise": True,  # features by running mean and deviation; published: as they are
        "ridge": 0.0,  # half of it times the squared weights is added to the loss; published: 0
        "around": 0.0,  # cells, deviation of the window that a map is averaged over; published: 0
    },
    "nnpu": {
        "risk": "nnpu",  # nnpu | upu | pn | bce (unlabelled cells are good ones): the ablation
        "variant": "clamp",  # nnpu: clamp (released) | ascent (Kiryo et al. 2017)
        "surrogate": "logistic",  # logistic | sigmoid
        "prior": 0.05,  # share of bad cells among the unlabelled; a guess, see configs/efiqa_cp.py
        "beta": 0.0,  # ascent: how far below 0 the negative risk may fall; clamp: its floor
        "gamma": 1.0,  # ascent: factor on the gradient that brings it back, in [0, 1]
        "weight": 1.0,  # clamp: of the positive part
        "include_positives": False,  # the unlabelled are all cells (the theory); published: others
        "pos_weight": 9.58,  # bce: factor on the loss of bad cells
        "field": True,  # cells outside the field are left out; published: unlabelled
        "width": 128,  # channels of a block; published: 512
        "ratio": 1,  # hidden channels of a block are this times the width
        "blocks": (2, 2, 1),  # of the stages, three at most; between two the grid is halved
        "stem": 64,  # channels of the stem that reads photographs, where there are no features
    },
    "cell_grades": {
        "map": 1.0,  # weight of the pull of each cell's badness towards the adapter's map
    },
    "patchcore": {
        "reach": 3,  # cells of the edge of the neighbourhood that is averaged, odd
        "standardise": True,  # features by mean and deviation of good cells; published: as they are
        "share": 0.1,  # of the good cells, in the coreset
        "most": 4096,  # members of the coreset at most
        "project": 128,  # channels that members are chosen by, where there are more; 0: all
        "neighbours": 9,  # b of equation 7; 9 in anomalib, which this follows
        "members": 0,  # of the coreset; set where it is made
    },
    "eyequal": {
        "width": 16,  # channels of the first block, doubled with each up to 8 times; released: 64
        "blocks": 4,  # each halves the sides; four see 46 x 46 pixels
        "pooling": "swap",  # swap | weighted | mean | max
        "field": True,  # patches outside the field have no part; released: they have
    },
    "grader": {
        # grade (of a photograph) | view (map, causes) | summary (grade, defects out of the map)
        "parts": ("grade",),
        "trained": (),  # the parts that learn, the others stay as they are; () for all
        "shrink": 1,  # grade sees the photographs at data.side over this
        "turns": 1,  # 4: the mean over the quarter turns of a photograph, for four times the cost
        "neighbour": 0.04,  # share of a grade's mass that goes to the grades next to it
        "hide_size": 0.3,  # share of training examples that do not tell the size of the field
        "dropout": 0.1,  # share of pooled features left out in training
    },
}

# Artefacts of fit stages that are models: whose settings they take.
MADE = {"coreset": "patchcore", "threshold": "inpaint"}
