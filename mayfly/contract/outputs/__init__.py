"""Each kind of output of a recipe. `mayfly.contract.recipe` is where they are imported from."""
