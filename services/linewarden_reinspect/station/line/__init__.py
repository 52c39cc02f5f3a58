"""The line on a page: what it makes now, from one small read model; and its parts as pictures with their stories."""
