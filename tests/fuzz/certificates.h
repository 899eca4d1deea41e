/*
 * certificates.h: a CA and a client certificate that it has signed (URI SAN spiffe://td.example/a),
 * PEM, for the fuzz targets of TLS and of X.509. Made for them, good until 2126; the key of the CA
 * is nowhere.
 */
#ifndef TESTS_FUZZ_CERTIFICATES_H
#define TESTS_FUZZ_CERTIFICATES_H

static const char CA[] = "-----BEGIN CERTIFICATE-----\n"
                         "MIIBizCCATGgAwIBAgIUSrvc5jlpughBcDbxoWa/6Yl0nFUwCgYIKoZIzj0EAwIw\n"
                         "EjEQMA4GA1UEAwwHZnV6ei1jYTAgFw0yNjExMjEyMzIwMDdaGA8yMTI2MTAyODIz\n"
                         "MjAwN1owEjEQMA4GA1UEAwwHZnV6ei1jYTBZMBMGByqGSM49AgEGCCqGSM49AwEH\n"
                         "A0IABJc/y6015JOR6V/5jRKhB/os72DfSka1GqZQ5eio//YEwsUwfjqsaafze5J9\n"
                         "lI/ecF81LOwxC/lmYqwVbPM/r0ajYzBhMB0GA1UdDgQWBBTU2y6ZJ4ZcmQtTwVNs\n"
                         "8Teoln8r0TAfBgNVHSMEGDAWgBTU2y6ZJ4ZcmQtTwVNs8Teoln8r0TAPBgNVHRMB\n"
                         "Af8EBTADAQH/MA4GA1UdDwEB/wQEAwIBBjAKBggqhkjOPQQDAgNIADBFAiEA8e5W\n"
                         "9WNCJqtU+lMtyQV8Ed8BNdk0baB66a3JASsro9YCIA/uOFJjJ9ALu1sQmzqmDb6U\n"
                         "k9pYoeyip8qg3+7gQuZ6\n"
                         "-----END CERTIFICATE-----\n";
static const char CERTIFICATE[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBrDCCAVOgAwIBAgIUO8WwFyNm75+t5HNEWOhaWBwVc+IwCgYIKoZIzj0EAwIw\n"
    "EjEQMA4GA1UEAwwHZnV6ei1jYTAgFw0yNjExMjEyMzIwMDdaGA8yMTI2MTAyODIz\n"
    "MjAwN1owETEPMA0GA1UEAwwGY2xpZW50MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD\n"
    "QgAE15Fr9tYhF5/wrqRjYXtB00Nr7aQasDUevQ62Y+BtS/v82WxGqQYAE7buzGln\n"
    "dokBMhjlxBK8ZSvioRkwfpi1rqOBhTCBgjAJBgNVHRMEAjAAMBMGA1UdJQQMMAoG\n"
    "CCsGAQUFBwMCMCAGA1UdEQQZMBeGFXNwaWZmZTovL3RkLmV4YW1wbGUvYTAdBgNV\n"
    "HQ4EFgQU7SXIOI/6pFeNOMODn44sKXqdToowHwYDVR0jBBgwFoAU1NsumSeGXJkL\n"
    "U8FTbPE3qJZ/K9EwCgYIKoZIzj0EAwIDRwAwRAIgJ4NmcVNcqBqx7TY7+1gh/0TQ\n"
    "GVsvc1cmeHXkgLMxyc0CIApNXwiD0Atcb0ZmCj7NS7qEBUMsipa/fFpT/Sg+kmXI\n"
    "-----END CERTIFICATE-----\n";

#endif
