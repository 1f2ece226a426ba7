"""Where the record and the files of a study are kept, and who may write them."""
