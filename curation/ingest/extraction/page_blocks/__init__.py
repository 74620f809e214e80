"""Extraction by blocks: a page is cut into blocks of text, two small tree models score each, and the best set of them is written.

    trimming     the source without what no later step reads
    cutting      the serialised tree -> elements, blocks and the runs of text they consist of, in one pass
    echoes       what a block shares with the names, descriptions and JSON-LD bodies of its page
    features     what the models see of a block: its text, its place in the tree, its neighbours, its page; no words of it
    second_look  what the second model sees besides: the first one's probabilities round about
    joining      tiny blocks are scored together
    trees        the models: lists of tests, loaded from the weights beside this file, and the kernel that makes them
    choosing     from probabilities to the set of blocks whose expected word F1 is largest, with a floor under it
    page_types   what kind of page it is
    writing      from blocks to text or Markdown
    formulas     done before, on the tree of pages that hold any: mathematics becomes TeX

Source: the idea of block classification is that of Kohlschütter, Fankhauser and Nejdl, "Boilerplate Detection using Shallow Text Features"
(WSDM 2010); the choice of a set that maximises the expected F1 is that of Ye, Chai, Lee and Chieu, "Optimizing F-measure" (ICML 2012).
"""
