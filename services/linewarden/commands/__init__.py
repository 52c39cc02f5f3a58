"""Commands of the operations side: each module is one group of `linewarden`, imported when it is called."""
