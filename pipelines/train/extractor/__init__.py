"""How the weights of the block extractor are made: gold text laid beside the page's words, and two models fitted to what matches.

    alignment   which words of a page its gold text has
    examples    pages with gold text -> a row a block, with a label and a weight
    fitting     rows -> models, and probabilities of pages by models that have not seen their site
    figures     how well text matches gold text, by kind of page, with intervals
    training    the command: all of it, the weights and their card

Fitting needs LightGBM (`pip install 'textbook-curation[training]'`); nothing else of the project does.
"""
