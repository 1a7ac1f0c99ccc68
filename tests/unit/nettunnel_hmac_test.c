/* The test cases of RFC 4231, section 4. */
#include "nettunnel/hmac.h"
#include "tests/unit/test.h"

/* Bytes written as text in hexadecimal digits. */
static size_t
from_hex(const char *hex, unsigned char *out)
{
	size_t size = strlen(hex) / 2;

	for (size_t i = 0; i < size; i++) {
		char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		out[i] = (unsigned char)strtoul(digits, NULL, 16);
	}
	return size;
}

static void
code_of(
    const void *key, size_t key_size, const void *data, size_t size, unsigned char code[HMAC_SIZE])
{
	struct hmac hmac;

	hmac_init(&hmac, key, key_size);
	/* in two pieces: what is given in between must not matter */
	hmac_update(&hmac, data, size / 3);
	hmac_update(&hmac, (const unsigned char *)data + size / 3, size - size / 3);
	hmac_final(&hmac, code);
}

static void
check(const void *key, size_t key_size, const void *data, size_t size, const char *expected)
{
	unsigned char code[HMAC_SIZE], wanted[HMAC_SIZE];
	size_t wanted_size = from_hex(expected, wanted);

	code_of(key, key_size, data, size, code);
	EXPECT(memcmp(code, wanted, wanted_size) == 0);
}

static void
test_rfc_4231(void)
{
	unsigned char key[131], data[50];
	static const char larger[] =
	    "This is a test using a larger than block-size key and a larger than block-size data. "
	    "The key needs to be hashed before being used by the HMAC algorithm.";
	static const char first[] = "Test Using Larger Than Block-Size Key - Hash Key First";

	memset(key, 0x0b, 20);
	check(key, 20, "Hi There", 8,
	    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	check("Jefe", 4, "what do ya want for nothing?", 28,
	    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, 20);
	memset(data, 0xdd, 50);
	check(
	    key, 20, data, 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	from_hex("0102030405060708090a0b0c0d0e0f10111213141516171819", key);
	memset(data, 0xcd, 50);
	check(
	    key, 25, data, 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
	memset(key, 0x0c, 20);
	check(key, 20, "Test With Truncation", 20, "a3b6167473100ee06e0c796c2955552b");
	memset(key, 0xaa, 131);
	check(key, 131, first, sizeof(first) - 1,
	    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	check(key, 131, larger, sizeof(larger) - 1,
	    "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void
test_equal(void)
{
	EXPECT(hmac_equal("same", "same", 4));
	EXPECT(!hmac_equal("same", "sama", 4));
	EXPECT(!hmac_equal("same", "Same", 4));
	EXPECT(!hmac_equal("\x80", "\0", 1));
	EXPECT(hmac_equal("a", "b", 0));
}

int
main(void)
{
	test_rfc_4231();
	test_equal();
	puts("ok nettunnel_hmac_test");
	return 0;
}
