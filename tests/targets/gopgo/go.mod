module gopgo

go 1.18
