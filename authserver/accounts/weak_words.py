"""What people who must invent a password take first. Compared after case folding."""

from __future__ import annotations

from typing import Final


def _words(text: str) -> list[str]:
    return text.split()


WEAK_WORDS: Final = frozenset(
    _words("""
    access account admin administrator alexander america amanda andrew angel anthony apple arsenal authserver autumn
    barcelona baseball basketball batman beautiful blink bonjour brandon butterfly buster
    changeit changeme charlie cheese chelsea chocolate computer cookie corvette cowboy
    daniel database default demo diamond dolphin dragon eagles elephant england example
    facebook family ferrari flower football forever freedom friends george ginger google guest
    hannah harley hello helloworld hockey hunter iloveyou internet jasmine jennifer jessica jordan joshua justin
    killer kitten letmein liverpool login london lovely loveme maggie manager manchester master matrix matthew
    mercedes merlin michael michelle mickey monday money monkey mother mustang mynameis
    naruto nicole ninja nothing oauth office oracle orange
    pass passphrase passw passwd password passwort patrick peanut pepper phoenix pokemon princess private public
    purple qwerty qwertz azerty rainbow ranger robert root samsung scooter secret secure security server service
    shadow silver slipknot snoopy soccer spring summer winter sunshine superman superuser support sweety
    system taylor temp temporary test testing tester thomas thunder tigger toyota trustno tweety
    unknown user username vanessa victoria welcome whatever william windows wizard yankees yellow zaq
    january february march april may june july august september october november december
    motdepasse contrasena kennwort senha parola hallo salut hola geheim
    """)
)
"""Refused alone and with digits or signs around them or in place of letters."""

WEAK_PASSWORDS: Final = frozenset(
    _words("""
    0987654321 11223344 112233445566 12121212 123123123 123321123 123654789 1234554321 12344321 123456abc
    1234qwer 12341234 123qwe123 147258369 159753456 159357456 1a2b3c4d 1g2w3e4r 1password 1qaz1qaz
    1qaz2wsx 1qaz@wsx !qaz2wsx 1qazxsw2 741852963 753951852 789456123 789456321 87654321 963852741 987654321
    a1b2c3d4 aa123456 aa12345678 abc12345 abcd1234 abcd12345 access14 asdasdasd asdf1234 asdfasdf asdfghjkl1
    baseball1 charlie1 dragonball fuckyou1 g00dpassword gfhjkmgfhjkm ihateyou
    iloveyou1 iloveyou2 imissyou internet1 jessica1 jordan23 letmein1 letmeinnow liverpool1 lovelove
    master123 michael1 mypassword newpassword oldpassword nopassword passw0rd passpass password1 passwordpassword
    playstation princess1 q1w2e3r4 q1w2e3r4t5 qazwsxedc qqww1122 qwaszx12 qwer1234 qwerasdf qwerty12 qwertyui
    rockyou1 secretpassword starwars sunshine1 superman1 supersecret testtest thepassword trustno1 usuckballz1
    welcome1 welcome123 whatever1 whoknows yourpassword zaq12wsx zaq1zaq1 zxcvbnm1 zxcvbnm123 zxcvasdf
    administrator1 adminadmin rootroot useruser changemenow letmeinplease opensesame swordfish sysadmin
    testpassword userpassword demopassword adminpassword rootpassword mysecret topsecret
    """)
)
