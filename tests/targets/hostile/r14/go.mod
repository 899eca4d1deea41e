module r14

go 1.22
