module golabels

go 1.18
