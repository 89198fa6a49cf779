"""Offices, bodies and forms of address in French and English, folded: shared by many events, particular to none."""

#: Who holds what, and who sits where. They are no part of a name, even when written with a capital.
OFFICES = frozenset(
    """
    ambassade ambassadeur ambassadrice assemblee cabinet chancelier chef cheffe colonel comite commandant commissaire
    commission conseil conseiller conseillere coordinateur copresident delegation delegue depute deputee deputes
    dirigeant dirigeante dirigeants directeur directrice general generale generaux gouvernement gouverneur gouverneure
    haut haute lieutenant maire major marechal membre membres ministere ministeres ministre ministres parlement
    parlementaire parlementaires parti permanent porte parole politburo premier premiere presidence president presidente
    presidents prince princesse procureur reine representant representante republique roi royaume secretaire secretariat
    senat senateur senatrice sous souverain souveraine tribunal vice
    ambassador assembly chairman chairperson chairwoman chief commander commissioner committee congress council
    court delegate delegates department deputy director embassy government governor head king kingdom leader leaders
    mayor member members minister ministers ministry national official officials parliament party president prime
    princess prosecutor queen representative republic secretary senate senator senior spokesman spokesperson
    spokeswoman state
    """.split()  # noqa: SIM905 - a list of these words would fill a screen
)
#: Forms of address and honours that stand before a name and are no part of it.
HONOURS = frozenset(
    """
    akka camarade chumteav comrade dr excellence madame mme moha monsieur mr mrs ms oknha padei preah
    professeur professor samdech sdech sena sir techo
    """.split()  # noqa: SIM905 - a list of these words would fill a screen
)
