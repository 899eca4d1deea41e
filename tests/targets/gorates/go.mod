module gorates

go 1.18
