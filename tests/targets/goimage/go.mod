module goimage

go 1.18
