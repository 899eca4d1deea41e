module gomtls

go 1.18
