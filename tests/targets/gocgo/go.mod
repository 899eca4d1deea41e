module gocgo

go 1.18
