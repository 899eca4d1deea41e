module gospans

go 1.18
