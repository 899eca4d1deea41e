module goruntime

go 1.18
