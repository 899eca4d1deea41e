module goshares

go 1.18
