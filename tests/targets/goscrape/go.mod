module goscrape

go 1.18
