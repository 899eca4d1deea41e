module goleak

go 1.18
