/** An account of NATS with one user, made once for tests: an operator, its account and its user, each a JWT that the one before has signed. */

const operator =
  'eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiJ0ZXN0IiwiaWF0IjoxNzAwMDAwMDAwLCJpc3MiO' +
  'iJPQUwzNEtNSVVaM0tMWEtBSTNHU1IzVlBZS0ZVWEhUTEtLRExXUTMyV0xBWUkyWDVYTEdKSzU0VyIsIm5hbWUiOiJvcCIsI' +
  'nN1YiI6Ik9BTDM0S01JVVozS0xYS0FJM0dTUjNWUFlLRlVYSFRMS0tETFdRMzJXTEFZSTJYNVhMR0pLNTRXIiwibmF0cyI6e' +
  'yJ0eXBlIjoib3BlcmF0b3IiLCJ2ZXJzaW9uIjoyfX0.cqPs6Os4VNVAignggJz9MC_-Q84TEfknfUJv_eEywsR3rVDle2fvg' +
  '2dN5t29or459cvkdU4tBKzkAmgjUNuHCA';
const accountId = 'AAHEXILDAB7R2V4SXGVDFZPTXE6WRHPXBBKBNVXL5OX4GXYXW5KW3IZT';
const account =
  'eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiJ0ZXN0IiwiaWF0IjoxNzAwMDAwMDAwLCJpc3MiO' +
  'iJPQUwzNEtNSVVaM0tMWEtBSTNHU1IzVlBZS0ZVWEhUTEtLRExXUTMyV0xBWUkyWDVYTEdKSzU0VyIsIm5hbWUiOiJhY2MiL' +
  'CJzdWIiOiJBQUhFWElMREFCN1IyVjRTWEdWREZaUFRYRTZXUkhQWEJCS0JOVlhMNU9YNEdYWVhXNUtXM0laVCIsIm5hdHMiO' +
  'nsibGltaXRzIjp7InN1YnMiOi0xLCJkYXRhIjotMSwicGF5bG9hZCI6LTEsImltcG9ydHMiOi0xLCJleHBvcnRzIjotMSwid' +
  '2lsZGNhcmRzIjp0cnVlLCJjb25uIjotMSwibGVhZiI6LTF9LCJkZWZhdWx0X3Blcm1pc3Npb25zIjp7InB1YiI6e30sInN1Y' +
  'iI6e319LCJ0eXBlIjoiYWNjb3VudCIsInZlcnNpb24iOjJ9fQ.KKR1IcPK659uAu0sfPc98014Abwq8yiA2URn386FjG_S4P' +
  'R74G5pfE-JTiV1A955N5awl5T4ZK3YTlyryaziDw';
const user =
  'eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiJ0ZXN0IiwiaWF0IjoxNzAwMDAwMDAwLCJpc3MiO' +
  'iJBQUhFWElMREFCN1IyVjRTWEdWREZaUFRYRTZXUkhQWEJCS0JOVlhMNU9YNEdYWVhXNUtXM0laVCIsIm5hbWUiOiJjaGF0I' +
  'iwic3ViIjoiVURYTE9UQVVNN0hDWlZEN0tJREJFUFY0U08zMlZTM0xHQU5PVllGR05RNldXSldTTVlQWURFNlYiLCJuYXRzI' +
  'jp7InB1YiI6e30sInN1YiI6e30sInN1YnMiOi0xLCJkYXRhIjotMSwicGF5bG9hZCI6LTEsInR5cGUiOiJ1c2VyIiwidmVyc' +
  '2lvbiI6Mn19.1DyrqWn8Im1viO3VxiPylvq2jqLDCmju5nsaCm4uIt-db72Sc4AY-BhVnHaHVd2Obh366-pJAXhsLXFXbmXa' +
  'CQ';

/** What a server is configured with. */
export const accountConfig = `operator: ${operator}
resolver: MEMORY
resolver_preload: { ${accountId}: ${account} }
`;

/** The file that NATS tools write for the user. */
export const userCredentials = credentialsWith('SUAJHA67VVCLPU5KHXCBDZBDK5SUKFWSPSOPSUWY67EMVMNKIKNE6S5PYQ');
/** With the seed of another user. */
export const wrongCredentials = credentialsWith('SUAIBNFSA4XXHLYO5KU3RDORAANVYLLIUHYB55YQKYXTZ7PVBAGWGU663Y');

function credentialsWith(seed: string): string {
  return `-----BEGIN NATS USER JWT-----
${user}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${seed}
------END USER NKEY SEED------
`;
}
