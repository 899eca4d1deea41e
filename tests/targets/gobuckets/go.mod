module gobuckets

go 1.18
